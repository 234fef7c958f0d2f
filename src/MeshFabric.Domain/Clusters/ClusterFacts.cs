using System.Text.Json.Serialization;
using MeshFabric.Net;

namespace MeshFabric.Domain.Clusters;

/// <summary>Everything the other clusters need to know about one cluster. One immutable record, replaced whole.</summary>
/// <param name="Id">Opaque and unguessable; part of no address, never reused.</param>
/// <param name="Name">RFC 1123 label, unique among live clusters.</param>
/// <param name="Revision">The mesh revision at which this record last changed.</param>
/// <param name="Prefixes">Sorted by local prefix; empty for a machine that is reached by its tunnel address only.</param>
/// <param name="Gateways">Sorted by ordinal.</param>
public sealed record ClusterFacts(
    string Id,
    string Name,
    long Revision,
    ClusterKind Kind,
    ClusterLocation Location,
    ValueList<Label> Labels,
    ValueList<MeshPrefix> Prefixes,
    ValueList<GatewayFacts> Gateways)
{
    /// <summary>Those of <see cref="Labels"/> that somebody who may declared; the others are what its agents say. Sorted by key.</summary>
    public ValueList<Label> Declared { get; init; } = [];

    /// <summary>As of <see cref="ClusterInventory.Beacons"/>; local addresses, sorted.</summary>
    public ValueList<Cidr> Beacons { get; init; } = [];

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public Granularity Granularity { get; init; }

    /// <summary>Those that carry for the whole cluster: all but its leaves.</summary>
    [JsonIgnore]
    public IEnumerable<GatewayFacts> EdgeGateways => Gateways.Where(g => !g.IsLeaf);
}

/// <summary>Where a cluster's tunnels end.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Granularity>))]
public enum Granularity
{
    /// <summary>At its gateways: what is for pods of other nodes is handed on to them.</summary>
    [JsonStringEnumMemberName("gateway")]
    Gateway,

    /// <summary>Also on each of its other nodes, which are <em>leaves</em>: what is for a pod goes to its own node.</summary>
    [JsonStringEnumMemberName("node")]
    Node,
}

[JsonConverter(typeof(JsonStringEnumConverter<ClusterKind>))]
public enum ClusterKind
{
    /// <summary>Inventory is read from a Kubernetes API.</summary>
    [JsonStringEnumMemberName("kubernetes")]
    Kubernetes,

    /// <summary>A network without Kubernetes behind a gateway; inventory is a file.</summary>
    [JsonStringEnumMemberName("site")]
    Site,

    /// <summary>One machine outside any cluster; inventory is a file.</summary>
    [JsonStringEnumMemberName("machine")]
    Machine,
}

/// <summary>Where a cluster runs; any part may be empty.</summary>
public sealed record ClusterLocation(string Provider, string Region, string Zone)
{
    public static readonly ClusterLocation Unknown = new("", "", "");
}

/// <summary>A Kubernetes-style label.</summary>
public sealed record Label(string Key, string Value);

/// <summary>A cluster's own prefix and what the rest of the mesh reaches it by. All parts have the same family and length.</summary>
/// <param name="Local">As used inside the cluster.</param>
/// <param name="Mesh">As used everywhere else; equal to <paramref name="Local"/> unless that overlapped another cluster's when it joined.</param>
/// <param name="Alias">
/// What is seen instead of <paramref name="Mesh"/> by exactly those clusters whose own local prefixes overlap it, for they could not address it.
/// Null while there is no such cluster.
/// </param>
public sealed record MeshPrefix(Cidr Local, Cidr Mesh, Cidr? Alias = null)
{
    /// <summary>True: addresses of Services (ClusterIPs), which the cluster's own service proxy translates to pods on the gateway that they come in by. False: addresses of pods and hosts.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Services { get; init; }

    /// <summary>True when the cluster's edge translates this prefix one to one for everybody.</summary>
    [JsonIgnore]
    public bool IsRemapped => Local != Mesh;

    /// <summary>What a cluster with these local prefixes reaches this one by: <see cref="Mesh"/>, <see cref="Alias"/>, or null when neither can be told from its own.</summary>
    public Cidr? SeenBy(ValueList<MeshPrefix> viewer) =>
        !Overlaps(Mesh, viewer) ? Mesh : Alias is not null && !Overlaps(Alias, viewer) ? Alias : null;

    static bool Overlaps(Cidr cidr, ValueList<MeshPrefix> viewer)
    {
        foreach (var own in viewer)
        {
            if (own.Local.Overlaps(cidr))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>One gateway as the other gateways need to know it.</summary>
/// <param name="Id">Opaque and unguessable; also the agent's identity on the broker.</param>
/// <param name="Name">RFC 1123 label, unique in its cluster.</param>
/// <param name="Ordinal">0 to <see cref="MaxPerCluster"/> - 1, unique in its cluster and stable: the plane that reaches this gateway. <see cref="LeafOrdinal"/> for all leaves alike.</param>
/// <param name="PublicKey">One key for all its devices.</param>
/// <param name="ListenPort">UDP port of its plane 0; its device for plane k listens on this port plus k.</param>
/// <param name="Endpoints">Candidates in order of preference, with the port of plane 0. Empty: it can only dial out.</param>
/// <param name="TunnelAddresses">Its own host prefixes (/32 and /128) inside the mesh, for probes and as source of its ICMP errors.</param>
public sealed record GatewayFacts(
    string Id,
    string Name,
    int Ordinal,
    PublicKey PublicKey,
    int ListenPort,
    ValueList<UdpEndpoint> Endpoints,
    ValueList<Cidr> TunnelAddresses)
{
    /// <summary>It can only dial out.</summary>
    [JsonIgnore]
    public bool IsHidden => Endpoints.Count == 0;

    /// <summary>Gateways that one cluster may have, besides its leaves.</summary>
    public const int MaxPerCluster = 8;

    /// <summary>All leaves of all clusters are peers of one device, for each has other prefixes than the others.</summary>
    public const int LeafOrdinal = MaxPerCluster;

    /// <summary>Devices, and so UDP ports, that a gateway may have.</summary>
    public const int Planes = LeafOrdinal + 1;

    /// <summary>A cluster's facts are one record, told whole to everybody.</summary>
    public const int MaxLeavesPerCluster = 256;

    /// <summary>It carries for the pods of its own node alone.</summary>
    [JsonIgnore]
    public bool IsLeaf => Ordinal == LeafOrdinal;

    /// <summary>Inside the cluster's own local prefixes: those of the pods on its node, which are sent to it directly while it is alive and its cluster's granularity is <see cref="Granularity.Node"/>. Sorted; a leaf has them as long as it is there.</summary>
    public ValueList<Cidr> Pods { get; init; } = [];

    /// <summary>It is to carry nothing while another gateway of its cluster can: its node is about to be worked on.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Drained { get; init; }

    /// <summary>Addresses of its own host, with the port of plane 0: of use to whoever is in the same network. Only of a gateway that can only dial out.</summary>
    public ValueList<UdpEndpoint> PrivateEndpoints { get; init; } = [];

    /// <summary>Where its devices send from as others see it, outside of its NAT; sorted. Only of a gateway that can only dial out.</summary>
    public ValueList<ObservedEndpoint> ObservedEndpoints { get; init; } = [];

    /// <summary>Newest epoch of the mesh secret that its agent holds. 0: none, and its tunnels have no pre-shared keys.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int KeyEpoch { get; init; }

    /// <summary>Takes the place of <see cref="PublicKey"/>: the others hold it ready, and take it for this gateway's as soon as somebody uses it. Null: its key does not change.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PublicKey? NextKey { get; init; }

    /// <summary>The others hold <see cref="NextKey"/> ready: the gateway is to use it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ChangesKey { get; init; }

    /// <summary>Pairs of other gateways that it hands packets on between; sorted by ports.</summary>
    public ValueList<RelayFacts> Relays { get; init; } = [];
}

/// <summary>A mapping of a NAT (RFC 4787), the same towards all who see it.</summary>
/// <param name="Plane">Of the gateway's device behind it.</param>
public sealed record ObservedEndpoint(int Plane, UdpEndpoint Endpoint) : IComparable<ObservedEndpoint>
{
    public int CompareTo(ObservedEndpoint? other) => (Plane, Endpoint).CompareTo((other?.Plane ?? -1, other?.Endpoint!));
}

/// <summary>What comes by one of the ports leaves by the other one, to whoever was last heard there. It stays encrypted from end to end.</summary>
/// <param name="First">Id of the gateway that sends to <paramref name="FirstPort"/>; sorts before the second.</param>
public sealed record RelayFacts(string First, int FirstPort, string Second, int SecondPort)
{
    /// <summary>Whom it joins this gateway to; null when it is not one of the two.</summary>
    public string? FarOf(string gateway) => gateway == First ? Second : gateway == Second ? First : null;

    /// <summary>Where this gateway sends to.</summary>
    public int PortOf(string gateway) => gateway == First ? FirstPort : SecondPort;
}
