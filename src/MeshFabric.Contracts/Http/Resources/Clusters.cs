using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Contracts.Http;

public sealed record ClusterResource(Metadata Metadata, ClusterSpec Spec, ClusterStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "Cluster";
}

/// <param name="PodCidrs">Prefixes to join to the mesh.</param>
/// <param name="ServiceCidrs">Joined to the mesh only with <see cref="AdvertiseServices"/>.</param>
public sealed record ClusterSpec(
    ClusterKind Kind,
    string Provider,
    string Region,
    string Zone,
    ValueList<Cidr> PodCidrs,
    ValueList<Cidr> ServiceCidrs)
{
    /// <summary>Pods of other clusters reach this one's Services by ClusterIPs of its Service CIDR, as the mesh knows it.</summary>
    public bool AdvertiseServices { get; init; }

    /// <summary>Where its tunnels end.</summary>
    public Granularity Granularity { get; init; }

    /// <summary>Addresses inside <see cref="PodCidrs"/> that answer pings: others probe them through each of its gateways, and leave one that does not reach them.</summary>
    public ValueList<string> Beacons { get; init; } = [];
}

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
    IReadOnlyList<Condition> Conditions)
{
    /// <summary>How pods are networked, with what is odd about it; null for sites and machines, and until an agent told it.</summary>
    public ClusterNetworking? Networking { get; init; }

    /// <summary>Nodes that end tunnels for their own pods alone; they are not counted among the gateways.</summary>
    public int Leaves { get; init; }

    /// <summary>Of <see cref="Leaves"/>, heard of lately.</summary>
    public int LeavesConnected { get; init; }
}

/// <summary>Body of <c>POST /clusters</c>.</summary>
public sealed record CreateCluster(string Name, IReadOnlyDictionary<string, string>? Labels, CreateClusterSpec? Spec);

/// <summary>As <see cref="ClusterSpec"/> with text where a person may err; every field is checked.</summary>
public sealed record CreateClusterSpec(
    string? Kind,
    string? Provider,
    string? Region,
    string? Zone,
    IReadOnlyList<string>? PodCidrs,
    IReadOnlyList<string>? ServiceCidrs,
    bool? AdvertiseServices = null)
{
    /// <summary>As of <see cref="ClusterSpec.Beacons"/>.</summary>
    public IReadOnlyList<string>? Beacons { get; init; }
}

/// <summary>Body of <c>PATCH /clusters/{name}</c>: what is given changes.</summary>
public sealed record UpdateCluster(UpdateClusterSpec? Spec)
{
    /// <summary>Declared labels that are set, or with null taken away; others stay.</summary>
    public IReadOnlyDictionary<string, string?>? Labels { get; init; }
}

public sealed record UpdateClusterSpec(bool? AdvertiseServices)
{
    /// <summary>gateway or node.</summary>
    public string? Granularity { get; init; }
}
