using System.Net;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>What the nodes of one cluster know of each other and of their gateways: the whole input of <see cref="NodePlanner"/>. It comes from the cluster's own API, never from the broker.</summary>
/// <param name="Gateways">Sorted by name.</param>
/// <param name="Nodes">Sorted by name.</param>
public sealed record OverlayFacts(ValueList<OverlayGateway> Gateways, ValueList<OverlayNode> Nodes)
{
    public static readonly OverlayFacts Empty = new([], []);

    /// <summary>Where gateways differ, this one decides: the first by name whose node is there; null without any.</summary>
    public OverlayGateway? Lead => Gateways.OrderBy(g => g.Name, StringComparer.Ordinal).OrderBy(g => Nodes.Any(n => n.Name == g.Node) ? 0 : 1).FirstOrDefault();
}

/// <summary>A gateway as the other nodes of its cluster need to know it.</summary>
/// <param name="Name">Of the gateway, as the mesh knows it: <c>gw1</c>.</param>
/// <param name="Node">Of the Kubernetes node that it is on.</param>
/// <param name="Port">UDP port of the overlay. Where gateways differ, the first by name decides.</param>
/// <param name="Mtu">What fits through its tunnels, bytes.</param>
/// <param name="LocalPrefixes">The cluster's own prefixes that are part of the mesh.</param>
/// <param name="RemotePrefixes">What the mesh is reached by from this cluster.</param>
/// <param name="TunnelAddresses">Its own, /32 and /128: what the nodes probe.</param>
public sealed record OverlayGateway(string Name, string Node, int Port, int Mtu, ValueList<Cidr> LocalPrefixes, ValueList<Cidr> RemotePrefixes, ValueList<Cidr> TunnelAddresses)
{
    /// <summary>Unique in its cluster and stable, 0 to <see cref="GatewayFacts.MaxPerCluster"/> - 1.</summary>
    public int Ordinal { get; init; }

    /// <summary>The cluster's Service CIDRs that are part of the mesh.</summary>
    public ValueList<Cidr> ServicePrefixes { get; init; } = [];

    /// <summary>The cluster's other nodes are to end tunnels themselves.</summary>
    public bool WantsLeaves { get; init; }
}

/// <summary>A node as the others need to know it.</summary>
/// <param name="Address">What the overlay's outer packets go to.</param>
/// <param name="PodPrefixes">Of the pods on it; empty where that cannot be told: then the CNI's own routes carry the last step.</param>
/// <param name="Sources">Its own addresses inside the cluster's pod prefixes, at most one per family: what its host network speaks to the mesh with.</param>
/// <param name="TakenPorts">UDP ports of <see cref="NodePlanner.Ports"/> that something else uses there.</param>
public sealed record OverlayNode(string Name, IPAddress Address, ValueList<Cidr> PodPrefixes, ValueList<IPAddress> Sources, ValueList<int> TakenPorts);
