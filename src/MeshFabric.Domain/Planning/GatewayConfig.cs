using System.Text.Json.Serialization;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>All that one gateway must run. Compares by value; every list is sorted, so equal facts give equal configs.</summary>
/// <param name="Revision">Of the facts it was planned from.</param>
public sealed record GatewayConfig(
    long Revision,
    string Cluster,
    string Gateway,
    ValueList<TunnelDevice> Devices,
    ValueList<MeshRoute> Routes,
    FirewallConfig Firewall,
    ValueList<Finding> Findings)
{
    /// <summary>This gateway's own number in its cluster.</summary>
    public int Ordinal { get; init; }

    /// <summary>Of its own cluster.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public Granularity Granularity { get; init; }

    /// <summary>Who sends by its tunnels besides itself, local prefixes: the far gateways take no others from a leaf. Sorted; null: everybody.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ValueList<Cidr>? Sources { get; init; }

    /// <inheritdoc cref="GatewayFacts.IsLeaf"/>
    [JsonIgnore]
    public bool IsLeaf => Ordinal == GatewayFacts.LeafOrdinal;

    /// <summary>Which of its own keys its devices are to have; null: it has one only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PublicKey? Key { get; init; }

    /// <summary>This gateway is to carry nothing while another one of its cluster can.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Drained { get; init; }

    /// <summary>Pairs of far gateways that this one hands packets on between; sorted by ports.</summary>
    public ValueList<RelayedPair> Relays { get; init; } = [];

    /// <summary>Clusters that this gateway has no tunnels to and reaches by hubs; sorted by name.</summary>
    public ValueList<TransitPath> Transits { get; init; } = [];

    /// <summary>Nothing: what a gateway that has left runs.</summary>
    public static GatewayConfig None(long revision, string cluster, string gateway) =>
        new(revision, cluster, gateway, [], [], FirewallConfig.None, []);
}

/// <summary>One WireGuard device of a gateway: plane k peers with the gateway of ordinal k of every other cluster, the last one with all leaves.</summary>
/// <param name="Name">mf0, mf1, ...: the plane's number.</param>
/// <param name="ListenPort">UDP port of this device.</param>
/// <param name="Addresses">This gateway's tunnel addresses, the same on each of its devices.</param>
public sealed record TunnelDevice(string Name, int Plane, int ListenPort, ValueList<Cidr> Addresses, ValueList<TunnelPeer> Peers);

/// <summary>The far gateway as one of our devices must know it.</summary>
/// <param name="Endpoints">Candidates for the very device that answers us (port of the plane included), in order of preference.</param>
/// <param name="Initiates">True on exactly one side of each tunnel: crossing initiations can lock up for seconds.</param>
/// <param name="KeepaliveSeconds">Persistent keepalive of whichever side dials; the other has none.</param>
/// <param name="AllowedIps">The far cluster's mesh prefixes and the far gateway's tunnel addresses.</param>
/// <param name="TunnelAddresses">What to probe through this tunnel.</param>
public sealed record TunnelPeer(
    string Cluster,
    string Gateway,
    PublicKey PublicKey,
    ValueList<UdpEndpoint> Endpoints,
    bool Initiates,
    int KeepaliveSeconds,
    ValueList<Cidr> AllowedIps,
    ValueList<Cidr> TunnelAddresses)
{
    /// <summary>Ways that are to be tried where both sides can only dial out; empty where one can be dialled. Sorted: the better kinds first.</summary>
    public ValueList<PathCandidate> Candidates { get; init; } = [];

    /// <summary>Epoch of the mesh secret that the pre-shared key is made from: the newest that both sides hold. 0: no pre-shared key.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int KeyEpoch { get; init; }

    /// <summary>As of <see cref="GatewayFacts.NextKey"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PublicKey? NextKey { get; init; }

    /// <summary>What to probe behind this gateway, and behind the cluster's others: addresses as seen from here. Empty where it has no other.</summary>
    public ValueList<Cidr> Beacons { get; init; } = [];
}

/// <summary>Where a far device may be reached though it stands behind a NAT; whether it is, only a check tells.</summary>
/// <param name="Relay">CLUSTER/GATEWAY of the relay; empty for all other kinds.</param>
public sealed record PathCandidate(CandidateKind Kind, UdpEndpoint Endpoint, string Relay = "");

/// <summary>Sorted by preference.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CandidateKind>))]
public enum CandidateKind
{
    /// <summary>An address of the far host itself.</summary>
    [JsonStringEnumMemberName("private")]
    Private,

    /// <summary>As other gateways see it (RFC 8445: server-reflexive).</summary>
    [JsonStringEnumMemberName("observed")]
    Observed,

    /// <summary>Where one of its checks came from (RFC 8445: peer-reflexive).</summary>
    [JsonStringEnumMemberName("learned")]
    Learned,

    /// <summary>By a third gateway that hands on what it cannot read.</summary>
    [JsonStringEnumMemberName("relay")]
    Relay,
}

/// <summary>One pair that is relayed here, each side with the peer's key that tells who it is.</summary>
public sealed record RelayedPair(RelayedSide First, RelayedSide Second);

/// <param name="Port">UDP port here that it sends to and is answered from.</param>
public sealed record RelayedSide(string Cluster, string Gateway, PublicKey PublicKey, int Port);

/// <summary>A destination in the mesh and every plane that can carry it; the reconciler uses those that are alive (ECMP). Without any it is refused: the topology has no way there.</summary>
/// <param name="Source">Host prefix of the source hint: a tunnel address, so that this gateway's own ICMP errors are answerable.</param>
/// <param name="NextHops">Sorted by device.</param>
public sealed record MeshRoute(Cidr Destination, Cidr? Source, ValueList<NextHop> NextHops)
{
    /// <summary>Part of a prefix that another route leads to: where none of its hops is alive, that one carries.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsShortcut { get; init; }

    /// <summary>By gateways that are drained: ways to be taken while none of the others carries. Sorted by device; null: there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ValueList<NextHop>? Spares { get; init; }

    /// <summary>All ways that may carry it.</summary>
    [JsonIgnore]
    public IEnumerable<NextHop> Ways => NextHops.Concat(Spares ?? []);
}

/// <summary>One way to a destination: our device, and the gateway at its far end.</summary>
public sealed record NextHop(string Device, string Cluster, string Gateway)
{
    /// <summary>The cluster that this gateway hands on to; null when it is its own.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Towards { get; init; }
}

/// <summary>A far cluster that is reached by hubs.</summary>
/// <param name="Carriers">Any of them; sorted by device.</param>
public sealed record TransitPath(string Cluster, ValueList<FarGateway> Gateways, ValueList<NextHop> Carriers);

public sealed record FarGateway(string Name, ValueList<Cidr> TunnelAddresses);

/// <summary>What the gateway's own nft tables must do.</summary>
/// <param name="Translations">This cluster's prefixes that are translated here, at their own edge; of one local prefix, the ones with destinations first.</param>
/// <param name="LocalPrefixes">This cluster's own prefixes, but for those of Services.</param>
/// <param name="RemotePrefixes">What this gateway reaches all others by: their prefixes as seen from here, and their tunnel addresses.</param>
/// <param name="TunnelAddresses">This gateway's own: what an address that neither side knows is answerable as.</param>
public sealed record FirewallConfig(ValueList<Translation> Translations, ValueList<Cidr> LocalPrefixes, ValueList<Cidr> RemotePrefixes, ValueList<Cidr> TunnelAddresses)
{
    public static readonly FirewallConfig None = new([], [], [], []);

    /// <summary>This cluster's own Service CIDRs that are part of the mesh: what comes for them is translated by its service proxy, here.</summary>
    public ValueList<Cidr> ServicePrefixes { get; init; } = [];

    /// <summary>A hub: what comes by one tunnel leaves by another.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Transits { get; init; }

    [JsonIgnore]
    public bool Forwards => LocalPrefixes.Count > 0 || Transits;

    /// <summary>IPv6 as well. Gateways' own addresses are no reason.</summary>
    [JsonIgnore]
    public bool Forwards6 => LocalPrefixes.Any(p => !p.IsIPv4) || (Transits && RemotePrefixes.Any(p => !p.IsIPv4 && p.Length < p.MaxLength));

    /// <summary>Probes by the tunnels find nobody: the far gateways are to send by others. An agent's own decision, never planned from facts.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsDrained { get; init; }
}

/// <summary>A one-to-one translation without state of its own. In: destination outside to local. Out: source local to outside.</summary>
/// <param name="Destinations">Outgoing packets to these only; empty: to any destination that no earlier translation of the same local prefix names.</param>
public sealed record Translation(Cidr Local, Cidr Outside, ValueList<Cidr> Destinations)
{
    /// <summary>Of Services: what is translated here goes through connection tracking all the same, for the service proxy needs it.</summary>
    public bool Services { get; init; }
}
