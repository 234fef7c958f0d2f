using System.Text.Json.Serialization;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Contracts.Http;

/// <summary>Its metadata name is <c>CLUSTER/GATEWAY</c>.</summary>
public sealed record GatewayResource(Metadata Metadata, GatewaySpec Spec, GatewayStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "Gateway";
}

public sealed record GatewaySpec(
    string Cluster,
    string Name,
    int Ordinal,
    PublicKey PublicKey,
    int ListenPort,
    ValueList<UdpEndpoint> Endpoints,
    ValueList<Cidr> TunnelAddresses)
{
    /// <summary>It carries nothing while another gateway of its cluster can.</summary>
    public bool Drained { get; init; }

    /// <summary>The Kubernetes node that it is on; empty for other hosts.</summary>
    public string Node { get; init; } = "";

    /// <summary>It carries for the pods of its own node alone.</summary>
    public bool IsLeaf { get; init; }

    /// <summary>Local prefixes of the pods on its node, which are sent to it directly; empty where the cluster's tunnels end at its gateways.</summary>
    public ValueList<Cidr> Pods { get; init; } = [];
}

/// <summary>Body of <c>PATCH /gateways/{cluster}/{name}</c>: what is given changes.</summary>
public sealed record UpdateGateway(UpdateGatewaySpec? Spec);

public sealed record UpdateGatewaySpec(bool? Drained)
{
    /// <summary>Where others dial it, in order of preference, with the port of plane 0; at least one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Endpoints { get; init; }
}

/// <param name="State">connected, or unreachable when not heard of for 45 s.</param>
/// <param name="Backend">kernel, userspace, or empty before its first report.</param>
public sealed record GatewayStatus(
    string State,
    DateTimeOffset? LastSeen,
    string AgentVersion,
    string Backend,
    long FactsRevision,
    long AppliedRevision,
    int TunnelsConnected,
    int TunnelsWanted,
    ValueList<Finding> Findings)
{
    /// <summary>Where others see it, outside of its NAT; only of a gateway without endpoints.</summary>
    public ValueList<UdpEndpoint> ObservedEndpoints { get; init; } = [];

    /// <summary>Pairs of other clusters' gateways that it hands packets on between, when they need it.</summary>
    public int RelayedPairs { get; init; }

    /// <summary>Since when it has its device key.</summary>
    public DateTimeOffset? KeySince { get; init; }

    /// <summary>waiting or changing, while its device key is to be another one; else empty.</summary>
    public string KeyChange { get; init; } = "";
}

/// <summary>Wanted against actual, of one gateway.</summary>
/// <param name="Differences">One sentence each; empty when both agree.</param>
public sealed record GatewayExplanation(
    string Cluster,
    string Gateway,
    GatewayConfig Wanted,
    Messages.GatewayActual? Actual,
    DateTimeOffset? ReportedAt,
    IReadOnlyList<string> Differences);
