using MeshFabric.Net;

namespace MeshFabric.Contracts.Http;

/// <summary>Body of <c>POST /probes</c>: measure the tunnels between two clusters, from both sides.</summary>
public sealed record CreateProbe(string? From, string? To, int? Count, int? IntervalMilliseconds, int? PayloadBytes);

/// <param name="State">running, completed or failed (some gateways did not answer in time).</param>
public sealed record ProbeResource(
    string Id,
    string From,
    string To,
    string State,
    DateTimeOffset CreatedAt,
    IReadOnlyList<ProbeGatewayResult> Gateways);

/// <param name="Answered">False until the gateway's agent has reported.</param>
public sealed record ProbeGatewayResult(string Cluster, string Gateway, bool Answered, ValueList<Messages.ProbeResult> Results);
