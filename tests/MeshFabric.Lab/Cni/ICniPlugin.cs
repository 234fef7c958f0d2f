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

    /// <summary>Its pods can have IPv6 addresses too, and then its nodes have some of their LAN. What the plug-in has between nodes is made for IPv4 only: pods do not reach each other by IPv6 across nodes.</summary>
    bool IsDualStack => false;

    /// <summary>What it shows in the cluster's API.</summary>
    CniObjects Objects(CniCluster cluster);

    /// <summary>The real plug-in that makes its pods on a node; null where their links are part of the state.</summary>
    ReferencePods? Pods(CniCluster cluster, CniNode node) => null;

    /// <summary>A shell script that its policy engine would be at on a node of <paramref name="cluster"/> for a policy on a pod; null when the plug-in enforces none.</summary>
    /// <param name="peer">Whom the policy lets in, or lets the pod ask; null: there is no policy any more.</param>
    string? Policy(CniCluster cluster, CniNode node, LabHost pod, PolicyDirection direction, PolicyPeer? peer) => null;

    /// <summary>Adds one node's state, and its pods' links, to the script. The node has its address on eth0 already.</summary>
    void Build(NetworkScript script, CniCluster cluster, CniNode node);
}
