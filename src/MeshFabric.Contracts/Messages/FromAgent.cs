using System.Text.Json.Serialization;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Contracts.Messages;

// From an agent to the control service. Who sent it is never a field: it is the exchange it came in by.

/// <summary>Sent every 15 s, transient: alive, and which facts it holds. The control service sends a snapshot to one that stays behind.</summary>
/// <param name="FactsRevision">Revision of the agent's replica.</param>
/// <param name="AppliedRevision">Revision that its devices, routes and rules were last made to match.</param>
/// <param name="TunnelsConnected">Of <paramref name="TunnelsWanted"/>.</param>
public sealed record AgentHeartbeat(string AgentVersion, long FactsRevision, long AppliedRevision, int TunnelsConnected, int TunnelsWanted)
{
    /// <summary>Newest epoch of the mesh secret that it holds, 0 for none; null from an agent that knows nothing of them.</summary>
    public int? KeyEpoch { get; init; }

    /// <summary>Public key that its devices have, base64; null before they were made, and from an agent that has one only.</summary>
    public string? Key { get; init; }

    /// <summary>Public key that it holds ready to be its next one; null for none.</summary>
    public string? NextKey { get; init; }

    /// <summary>As of <see cref="AgentCapabilities"/>; null from an agent that has none of them.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ValueList<string>? Capabilities { get; init; }
}

/// <summary>Asks for a <see cref="FactsSnapshot"/>.</summary>
/// <param name="HaveRevision">0 when it has none.</param>
public sealed record RequestFacts(long HaveRevision, string Reason);

/// <summary>What a gateway saw of itself: in full at start and every few minutes, otherwise only what changed.</summary>
/// <param name="Backend"><c>kernel</c> or <c>userspace</c>.</param>
/// <param name="Complete">True: tunnels not listed do not exist.</param>
/// <param name="Actual">What its devices, routes and rules were read back as; null unless <paramref name="Complete"/>.</param>
public sealed record GatewayReported(
    string AgentVersion,
    string Backend,
    long FactsRevision,
    long AppliedRevision,
    bool Complete,
    ValueList<TunnelReport> Tunnels,
    ValueList<Finding> Findings,
    GatewayActual? Actual)
{
    /// <summary>Of the agent's process; null from one that does not number its reports.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Session { get; init; }

    /// <summary>From 1, in the order in which they were made: of one session a lower one than the last is older, and ignored, whatever order they come in.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Number { get; init; }

    /// <summary>As of <see cref="AgentHeartbeat.Capabilities"/>: whichever of the two comes first tells them.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ValueList<string>? Capabilities { get; init; }
}

/// <summary>Read back from the host, for <c>mfctl explain</c>.</summary>
public sealed record GatewayActual(ValueList<ActualDevice> Devices, ValueList<ActualRoute> Routes, bool FirewallInPlace)
{
    /// <summary>Host prefixes (/32) of the addresses that outer packets leave by; sorted.</summary>
    public ValueList<Cidr> Addresses { get; init; } = [];
}

public sealed record ActualDevice(string Name, int ListenPort, int Mtu, ValueList<ActualPeer> Peers);

public sealed record ActualPeer(PublicKey PublicKey, UdpEndpoint? Endpoint, ValueList<Cidr> AllowedIps);

public sealed record ActualRoute(Cidr Destination, ValueList<string> Devices);

/// <summary>What an agent saw of its own cluster; sent whole when it changed.</summary>
public sealed record InventoryReported(ClusterInventory Inventory)
{
    /// <summary>Of the agent's process; null from one that does not number its reports.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Session { get; init; }

    /// <summary>As of <see cref="GatewayReported.Number"/>, in a row of their own.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Number { get; init; }
}

/// <summary>Answer to <see cref="ProbeTunnels"/>.</summary>
public sealed record ProbeCompleted(string ProbeId, ValueList<ProbeResult> Results);

/// <param name="RoundTripSeconds">Of the answered requests, in order.</param>
/// <param name="Error">Empty when requests could be sent.</param>
public sealed record ProbeResult(string Device, string PeerGateway, int Sent, int Received, ValueList<double> RoundTripSeconds, string Error);
