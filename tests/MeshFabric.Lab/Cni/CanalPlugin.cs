using System.Net;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>Canal: flannel's network (VXLAN, rules of 0.20) with Calico's policy; no bridge, pods as Calico links them, addresses of the nodes' podCIDRs.</summary>
sealed class CanalPlugin : ICniPlugin
{
    public string Name => "canal";

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => ReferenceCni.PodAddress(cluster, node, pod);

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        FlannelState.Vxlan(script, cluster, node);
        FlannelState.SubnetFile(script, cluster, node, 1450);
        CalicoState.Pods(script, node, 1450);
        CalicoState.Sets(script, cluster, node, cluster.Network, vxlan: false);
        script.Iptables(node.Host, FlannelState.IptablesRules(cluster.Network, node.PodCidr));
        script.Iptables(node.Host, CalicoState.FilterRules(node.Pods, vxlan: false, inserts: true));
        script.Iptables(node.Host, CalicoState.NatRules(null, inserts: false));
        ReferenceCni.Conflist(
            script, node.Host, "10-canal.conflist", "k8s-pod-network",
            new { type = "calico", datastore_type = "kubernetes", nodename = node.Host.ShortName, mtu = 1450, ipam = new { type = "host-local", subnet = node.PodCidr.ToString() }, policy = new { type = "k8s" } },
            new { type = "portmap", snat = true, capabilities = new { portMappings = true } });
    }
}
