using System.Net;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>A CNI plug-in, as the state that it leaves on the nodes of a cluster: devices, routes, neighbours, sets, firewall rules and files.</summary>
/// <remarks>Pure: the same cluster gives the same script. Rules are those of the versions named at each class; addresses are the cluster's own.</remarks>
interface ICniPlugin
{
    /// <summary>As <see cref="ClusterSpec.Cni"/> says it.</summary>
    string Name { get; }

    /// <summary>The address that its IPAM gives to a pod; node and pod count from 1.</summary>
    IPAddress PodAddress(ClusterTopology cluster, int node, int pod);

    /// <summary>What it shows in the cluster's API.</summary>
    CniObjects Objects(CniCluster cluster);

    /// <summary>Adds one node's state, and its pods' links, to the script. The node has its address on eth0 already.</summary>
    void Build(NetworkScript script, CniCluster cluster, CniNode node);
}
