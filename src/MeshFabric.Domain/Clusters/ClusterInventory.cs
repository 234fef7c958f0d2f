using System.Text.Json.Serialization;
using MeshFabric.Net;

namespace MeshFabric.Domain.Clusters;

/// <summary>What an agent saw of its own cluster: the input of the address plan.</summary>
/// <param name="PodCidrs">Prefixes to join to the mesh (pods of a cluster, networks of a site), in canonical form.</param>
/// <param name="ServiceCidrs">Addresses of the cluster's Services; joined to the mesh only where somebody asked for that.</param>
/// <param name="KubernetesVersion">Empty without Kubernetes.</param>
public sealed record ClusterInventory(
    ClusterKind Kind,
    ClusterLocation Location,
    ValueList<Label> Labels,
    ValueList<Cidr> PodCidrs,
    ValueList<Cidr> ServiceCidrs,
    string KubernetesVersion,
    ValueList<NodeInventory> Nodes)
{
    /// <summary>Null for sites and machines, and from agents that do not tell it yet.</summary>
    public ClusterNetworking? Networking { get; init; }

    /// <summary>Addresses inside <see cref="PodCidrs"/> that answer pings, best not of gateways: what others probe through each gateway. /32 each; null from agents that know nothing of them.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ValueList<Cidr>? Beacons { get; init; }

    public const int MaxBeacons = 4;
}

/// <summary>One Kubernetes node, or one host of a site.</summary>
/// <param name="PodCidrs">That its pods get their addresses from, which the podCIDRs of the Node object need not be.</param>
public sealed record NodeInventory(
    string Name,
    bool Ready,
    ValueList<string> Addresses,
    ValueList<Cidr> PodCidrs,
    string Zone,
    string KubeletVersion)
{
    /// <summary>CIDRs that one list may have.</summary>
    public const int MaxPodCidrs = 64;
}
