using System.Text.Json.Serialization;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Contracts.Http;

// Objects of the REST API, shaped as Kubernetes objects: metadata (who), spec (wanted), status (seen).

/// <summary>Identity of an object.</summary>
/// <param name="Name">RFC 1123 label, unique among objects of its kind (for gateways and tunnels: see there).</param>
/// <param name="Uid">Opaque; never reused.</param>
/// <param name="ResourceVersion">Changes with every change of the object; also its ETag.</param>
public sealed record Metadata(string Name, string Uid, string ResourceVersion, DateTimeOffset CreatedAt, IReadOnlyDictionary<string, string> Labels);

/// <summary>One page of a list.</summary>
/// <param name="NextCursor">Hand it back as <c>?cursor=</c> for the next page; null on the last.</param>
/// <param name="Total">Of the filtered set.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? NextCursor, int Total);

/// <summary>Something that is true, false or unknown about an object.</summary>
/// <param name="Status">True, False or Unknown.</param>
public sealed record Condition(string Type, string Status, string Reason, string Message, DateTimeOffset LastTransitionTime);

public sealed record ClusterResource(Metadata Metadata, ClusterSpec Spec, ClusterStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "Cluster";
}

/// <param name="PodCidrs">Prefixes to join to the mesh.</param>
/// <param name="ServiceCidrs">Shown and checked; not advertised.</param>
public sealed record ClusterSpec(
    ClusterKind Kind,
    string Provider,
    string Region,
    string Zone,
    ValueList<Cidr> PodCidrs,
    ValueList<Cidr> ServiceCidrs);

/// <param name="State">pending (no gateway yet), connected, degraded, unreachable.</param>
/// <param name="Prefixes">As allocated; a remapped one differs in local and mesh.</param>
public sealed record ClusterStatus(
    string State,
    long FactsRevision,
    ValueList<MeshPrefix> Prefixes,
    int Gateways,
    int GatewaysConnected,
    int TunnelsConnected,
    int TunnelsWanted,
    string KubernetesVersion,
    ValueList<NodeInventory> Nodes,
    ValueList<Finding> Findings,
    IReadOnlyList<Condition> Conditions);

/// <summary>Body of <c>POST /clusters</c>.</summary>
public sealed record CreateCluster(string Name, IReadOnlyDictionary<string, string>? Labels, CreateClusterSpec? Spec);

/// <summary>As <see cref="ClusterSpec"/> with text where a person may err; every field is checked.</summary>
public sealed record CreateClusterSpec(
    string? Kind,
    string? Provider,
    string? Region,
    string? Zone,
    IReadOnlyList<string>? PodCidrs,
    IReadOnlyList<string>? ServiceCidrs);

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
    ValueList<Cidr> TunnelAddresses);

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
    ValueList<Finding> Findings);

/// <summary>One record per pair of gateways; its metadata name is <c>CLUSTER.GATEWAY--CLUSTER.GATEWAY</c>, smaller one first.</summary>
public sealed record TunnelResource(Metadata Metadata, TunnelSpec Spec, TunnelStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "Tunnel";
}

public sealed record TunnelSpec(TunnelEnd A, TunnelEnd B);

public sealed record TunnelEnd(string Cluster, string Gateway, string Device, PublicKey PublicKey, bool Initiates);

/// <param name="State">The worse of both sides: connected, connecting, down, unknown.</param>
/// <param name="Path">direct (relayed comes with relays).</param>
public sealed record TunnelStatus(string State, string Path, TunnelSide? A, TunnelSide? B);

/// <summary>What one side saw.</summary>
public sealed record TunnelSide(
    TunnelState State,
    UdpEndpoint? Endpoint,
    DateTimeOffset? LastHandshake,
    double? RttSeconds,
    double? LossRatio,
    ulong ReceivedBytes,
    ulong SentBytes,
    DateTimeOffset ReportedAt);

/// <summary>A prefix in use in the mesh.</summary>
/// <param name="Purpose">cluster, alias (what clusters see that use the same local prefix themselves) or tunnel.</param>
public sealed record PrefixResource(string Cluster, string Purpose, Cidr Local, Cidr Mesh, bool Remapped);

/// <summary>A pool that prefixes are taken from.</summary>
/// <param name="Purpose">remap or tunnel.</param>
/// <param name="UsedRatio">0 to 1.</param>
public sealed record AddressPoolResource(Cidr Cidr, string Purpose, int Allocations, double UsedRatio);

/// <summary>Two clusters that use the same local prefix, and how it was solved.</summary>
public sealed record AddressConflictResource(Cidr Local, string Cluster, Cidr OverlapsLocal, string OverlapsCluster, string Resolution);

/// <summary>Body of <c>POST /address-plans</c>: what would happen, without any change.</summary>
/// <param name="PodCidrs">CIDRs to check; empty to ask for a free one of <paramref name="Length"/> bits.</param>
public sealed record CreateAddressPlan(IReadOnlyList<string>? PodCidrs, int? Length, string? Family);

/// <param name="Suggestion">A free CIDR to build a new cluster with; null when CIDRs were given.</param>
public sealed record AddressPlanResource(ValueList<MeshPrefix> Prefixes, Cidr? Suggestion, ValueList<Finding> Findings);

/// <summary>Its metadata name is the token's id.</summary>
public sealed record JoinTokenResource(Metadata Metadata, JoinTokenSpec Spec, JoinTokenStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "JoinToken";
}

/// <param name="Cluster">The one cluster it admits gateways to; empty: any new cluster that the agent names.</param>
public sealed record JoinTokenSpec(string Cluster, DateTimeOffset ExpiresAt, int MaxUses, string Description);

/// <param name="State">active, used, expired or revoked.</param>
/// <param name="Token">Only in the answer to its creation.</param>
public sealed record JoinTokenStatus(string State, int Uses, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Token)
{
    public override string ToString() => $"JoinTokenStatus {{ State = {State}, Uses = {Uses} }}";
}

/// <summary>Body of <c>POST /join-tokens</c>.</summary>
/// <param name="ExpiresInSeconds">Default 900, at most 86,400.</param>
/// <param name="MaxUses">Default 1, at most <see cref="GatewayFacts.MaxPerCluster"/>.</param>
public sealed record CreateJoinToken(string? Cluster, int? ExpiresInSeconds, int? MaxUses, string? Description);

public sealed record ApiTokenResource(Metadata Metadata, ApiTokenSpec Spec, ApiTokenStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "ApiToken";
}

/// <param name="Role">viewer, operator or admin.</param>
public sealed record ApiTokenSpec(string Role, DateTimeOffset? ExpiresAt, string Description);

public sealed record ApiTokenStatus(string State, DateTimeOffset? LastUsedAt, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Token)
{
    public override string ToString() => $"ApiTokenStatus {{ State = {State} }}";
}

/// <summary>Body of <c>POST /api-tokens</c>.</summary>
public sealed record CreateApiToken(string? Name, string? Role, int? ExpiresInSeconds, string? Description);

/// <summary>Who the API takes the caller for.</summary>
/// <param name="Name">Of the API token; what the audit names.</param>
/// <param name="Role">viewer, operator or admin.</param>
/// <param name="ExpiresAt">Null: never.</param>
public sealed record CallerResource(string Name, string TokenId, string Role, DateTimeOffset? ExpiresAt);

/// <summary>Something that happened, in order of <paramref name="Sequence"/>.</summary>
/// <param name="Type">kebab-case, such as cluster-joined, tunnel-connected, prefix-remapped.</param>
/// <param name="Severity">info, warning or error.</param>
/// <param name="Actor">Who caused it: token name, <c>agent/CLUSTER/GATEWAY</c> or <c>system</c>.</param>
public sealed record EventResource(long Sequence, DateTimeOffset At, string Type, string Severity, string Subject, string Actor, string Message);

/// <summary>Who changed what; append-only.</summary>
/// <param name="Action">NOUN.VERB, such as cluster.create.</param>
/// <param name="Before">The object before the change; null when it was created.</param>
/// <param name="After">The object after the change; null when it was removed.</param>
public sealed record AuditRecordResource(
    long Sequence,
    DateTimeOffset At,
    string Actor,
    string Action,
    string Target,
    System.Text.Json.JsonElement? Before,
    System.Text.Json.JsonElement? After,
    string RequestId,
    string RemoteAddress);

/// <summary>The mesh in one object.</summary>
/// <param name="State">ready (every wanted tunnel connected), progressing, degraded or empty.</param>
/// <param name="UnmetConditions">What is still missing for ready, one sentence each.</param>
public sealed record MeshResource(
    string State,
    long Revision,
    string Version,
    int Clusters,
    int ClustersConnected,
    int Gateways,
    int GatewaysConnected,
    int TunnelsWanted,
    int TunnelsConnected,
    int TunnelsDown,
    int RemappedPrefixes,
    IReadOnlyList<string> UnmetConditions);

/// <summary>Wanted against actual, of one gateway.</summary>
/// <param name="Differences">One sentence each; empty when both agree.</param>
public sealed record GatewayExplanation(
    string Cluster,
    string Gateway,
    GatewayConfig Wanted,
    Messages.GatewayActual? Actual,
    DateTimeOffset? ReportedAt,
    IReadOnlyList<string> Differences);

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

/// <summary>Body of <c>POST /enrolments</c>, authorised by a join token: how an agent becomes a gateway of a cluster.</summary>
/// <param name="CertificateRequest">PKCS#10, PEM, ECDSA P-256: the key stays with the agent.</param>
/// <param name="Endpoints">Candidates in order of preference, with the port of plane 0.</param>
/// <param name="Inventory">Optional first inventory, so that joining needs no further round trip.</param>
public sealed record CreateEnrolment(
    string? Token,
    string? Cluster,
    string? Gateway,
    string? PublicKey,
    int? ListenPort,
    IReadOnlyList<string>? Endpoints,
    string? CertificateRequest,
    string? AgentVersion,
    InventoryDocument? Inventory)
{
    public override string ToString() => $"CreateEnrolment {{ Cluster = {Cluster}, Gateway = {Gateway} }}";
}

/// <summary>An inventory as a person or an agent writes it; every field is checked.</summary>
public sealed record InventoryDocument(
    string? Kind,
    string? Provider,
    string? Region,
    string? Zone,
    IReadOnlyDictionary<string, string>? Labels,
    IReadOnlyList<string>? PodCidrs,
    IReadOnlyList<string>? ServiceCidrs,
    string? KubernetesVersion,
    IReadOnlyList<InventoryNode>? Nodes)
{
    public static InventoryDocument Of(Domain.Clusters.ClusterInventory inventory) => new(
        inventory.Kind.ToString().ToLowerInvariant(),
        inventory.Location.Provider,
        inventory.Location.Region,
        inventory.Location.Zone,
        inventory.Labels.DistinctBy(l => l.Key).ToDictionary(l => l.Key, l => l.Value),
        inventory.PodCidrs.Select(c => c.ToString()).ToList(),
        inventory.ServiceCidrs.Select(c => c.ToString()).ToList(),
        inventory.KubernetesVersion,
        inventory.Nodes.Select(n => new InventoryNode(n.Name, n.Ready, n.Addresses, n.PodCidrs.Select(c => c.ToString()).ToList(), n.Zone, n.KubeletVersion)).ToList());
}

public sealed record InventoryNode(string? Name, bool? Ready, IReadOnlyList<string>? Addresses, IReadOnlyList<string>? PodCidrs, string? Zone, string? KubeletVersion);

/// <summary>What an agent needs from then on.</summary>
/// <param name="GatewayId">Its identity on the broker.</param>
/// <param name="Certificate">PEM, for the broker; subject CN is <c>agent-GATEWAYID</c>.</param>
/// <param name="BrokerCertificateAuthority">PEM; the only CA to trust for the broker.</param>
/// <param name="Facts">The first snapshot, so that tunnels come up before the first message.</param>
public sealed record EnrolmentResource(
    string ClusterId,
    string Cluster,
    string GatewayId,
    string Gateway,
    BrokerAddress Broker,
    string Certificate,
    string BrokerCertificateAuthority,
    Domain.MeshFacts Facts);

public sealed record BrokerAddress(string Host, int Port, string VirtualHost);

public sealed record VersionResource(string Version, string ApiVersion);

/// <summary>Names that both sides share.</summary>
public static class Api
{
    public const string Version = "meshfabric.io/v1";
    public const string Prefix = "/api/v1";

    /// <summary>Largest request body, bytes.</summary>
    public const long MaxBodyBytes = 1 << 20;
}

/// <summary>RFC 9457 problem details with our members.</summary>
/// <param name="Type">Own URI; its last segment is <paramref name="Code"/>.</param>
/// <param name="Code">Stable, kebab-case.</param>
/// <param name="Errors">Messages by JSON pointer of the field, for validation failures.</param>
public sealed record Problem(
    string Type,
    string Title,
    int Status,
    string Detail,
    string? Instance,
    string Code,
    string RequestId,
    IReadOnlyDictionary<string, IReadOnlyList<string>>? Errors);
