using System.Net;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>The plain ptp plug-in: no bridge, a routed pair of links per pod; otherwise as <see cref="BridgePlugin"/>.</summary>
sealed class PtpPlugin : ICniPlugin
{
    const string Network = "routed";

    public string Name => "ptp";

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => ReferenceCni.PodAddress(cluster, node, pod);

    public bool IsDualStack => true;

    public CniObjects Objects(CniCluster cluster) => new();

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        NodeRoutes.Direct(script, cluster, node);
        var pods = Pods(cluster, node);
        ReferenceCni.Conflist(script, node.Host, "10-routed.conflist", Network, pods.Settings);
        ReferenceCni.AddPods(script, node, pods);
    }

    public ReferencePods Pods(CniCluster cluster, CniNode node) =>
        new(Network, new() { ["type"] = "ptp", ["ipMasq"] = true, ["ipam"] = ReferenceCni.HostLocal(node, "0.0.0.0/0", "::/0") });
}
