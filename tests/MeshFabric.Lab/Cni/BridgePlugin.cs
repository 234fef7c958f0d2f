using System.Net;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>The plain bridge plug-in with host-local and ipMasq, by Debian's real programs (1.1.1); routes between nodes are the operator's.</summary>
sealed class BridgePlugin : ICniPlugin
{
    const string Network = "plain";

    public string Name => "bridge";

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => ReferenceCni.PodAddress(cluster, node, pod);

    public bool IsDualStack => true;

    public CniObjects Objects(CniCluster cluster) => new();

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        NodeRoutes.Direct(script, cluster, node);
        var pods = Pods(cluster, node);
        ReferenceCni.Conflist(script, node.Host, "10-plain.conflist", Network, pods.Settings);
        ReferenceCni.AddPods(script, node, pods);
    }

    public ReferencePods Pods(CniCluster cluster, CniNode node) => new(Network, new()
    {
        ["type"] = "bridge",
        ["bridge"] = "cni0",
        ["isGateway"] = true,
        ["ipMasq"] = true,
        ["ipam"] = ReferenceCni.HostLocal(node, "0.0.0.0/0", "::/0"),
    });
}
