using System.Net;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>The plain bridge plug-in with host-local and ipMasq, by Debian's real programs (1.1.1); routes between nodes are the operator's.</summary>
sealed class BridgePlugin : ICniPlugin
{
    const string Network = "plain";

    public string Name => "bridge";

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => ReferenceCni.PodAddress(cluster, node, pod);

    public CniObjects Objects(CniCluster cluster) => new();

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        NodeRoutes.Direct(script, cluster, node);
        var settings = new Dictionary<string, object>
        {
            ["type"] = "bridge",
            ["bridge"] = "cni0",
            ["isGateway"] = true,
            ["ipMasq"] = true,
            ["ipam"] = ReferenceCni.HostLocal(node, "0.0.0.0/0"),
        };
        ReferenceCni.Conflist(script, node.Host, "10-plain.conflist", Network, settings);
        ReferenceCni.AddPods(script, node, Network, settings);
    }
}

/// <summary>The plain ptp plug-in: no bridge, a routed pair of links per pod; otherwise as <see cref="BridgePlugin"/>.</summary>
sealed class PtpPlugin : ICniPlugin
{
    const string Network = "routed";

    public string Name => "ptp";

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => ReferenceCni.PodAddress(cluster, node, pod);

    public CniObjects Objects(CniCluster cluster) => new();

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        NodeRoutes.Direct(script, cluster, node);
        var settings = new Dictionary<string, object> { ["type"] = "ptp", ["ipMasq"] = true, ["ipam"] = ReferenceCni.HostLocal(node, "0.0.0.0/0") };
        ReferenceCni.Conflist(script, node.Host, "10-routed.conflist", Network, settings);
        ReferenceCni.AddPods(script, node, Network, settings);
    }
}
