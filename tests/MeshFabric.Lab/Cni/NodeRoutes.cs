using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>Routes between nodes of one LAN.</summary>
static class NodeRoutes
{
    /// <summary>Each other node's range by its address on the LAN.</summary>
    public static void Direct(NetworkScript script, CniCluster cluster, CniNode node)
    {
        foreach (var other in cluster.Others(node))
        {
            script.Ip(node.Host, $"route add {other.PodCidr} via {other.Address} dev eth0");
        }
    }
}
