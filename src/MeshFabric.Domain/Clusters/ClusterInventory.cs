using MeshFabric.Net;

namespace MeshFabric.Domain.Clusters;

/// <summary>What an agent saw of its own cluster: the input of the address plan.</summary>
/// <param name="PodCidrs">Prefixes to join to the mesh (pods of a cluster, networks of a site), in canonical form.</param>
/// <param name="ServiceCidrs">For display and conflict checks; not advertised.</param>
/// <param name="KubernetesVersion">Empty without Kubernetes.</param>
public sealed record ClusterInventory(
    ClusterKind Kind,
    ClusterLocation Location,
    ValueList<Label> Labels,
    ValueList<Cidr> PodCidrs,
    ValueList<Cidr> ServiceCidrs,
    string KubernetesVersion,
    ValueList<NodeInventory> Nodes);

/// <summary>One Kubernetes node, or one host of a site.</summary>
public sealed record NodeInventory(
    string Name,
    bool Ready,
    ValueList<string> Addresses,
    ValueList<Cidr> PodCidrs,
    string Zone,
    string KubeletVersion);
