using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>Nodes on a LAN that the internet routes, each with what the CNI plug-in leaves there. Pod addresses are known to the cluster's own nodes alone.</summary>
static class CniClusterBuilder
{
    public static void Build(NetworkScript script, CniCluster cluster)
    {
        var (lab, topology) = (cluster.Lab, cluster.Topology);
        var (lan, inet) = (lab[$"{cluster.Name}-lan"], lab["inet"]);
        script.Ip(lan, "link add lan type bridge");
        script.Ip(lan, "link set lan up");
        // It is a switch, and no part of what is measured: what nodes need of netfilter on their own bridges it does not.
        script.Sysctl(lan, "net.bridge.bridge-nf-call-iptables=0");
        script.Sysctl(lan, "net.bridge.bridge-nf-call-ip6tables=0");
        script.Sysctl(lan, "net.bridge.bridge-nf-call-arptables=0");
        script.Cable(lan, "router", inet, $"k{topology.Index}", lab.Spec.UnderlayMtu);
        script.Ip(lan, "link set router master lan");
        script.Address(inet, $"k{topology.Index}", LabTopology.At(topology.PublicLan, 1), topology.PublicLan.Length);
        if (cluster.IsDualStack)
        {
            script.Address(inet, $"k{topology.Index}", LabTopology.At(topology.Lan6, 1), topology.Lan6.Length);
        }

        foreach (var node in cluster.Nodes)
        {
            script.Cable(node.Host, "eth0", lan, node.Host.ShortName, lab.Spec.UnderlayMtu);
            script.Ip(lan, $"link set {node.Host.ShortName} master lan");
            Node(script, cluster, node);
        }
    }

    /// <summary>A node as its operating system and kubelet prepare it, then the plug-in.</summary>
    public static void Node(NetworkScript script, CniCluster cluster, CniNode node)
    {
        var lan = cluster.Topology.PublicLan;
        script.Forwards(node.Host);
        // Strict, as distributions have it: an asymmetric path is seen at once. "all" cannot be undercut by a device.
        script.Sysctl(node.Host, "net.ipv4.conf.all.rp_filter=1");
        script.Sysctl(node.Host, "net.ipv4.conf.default.rp_filter=1");
        script.Sysctl(node.Host, "net.bridge.bridge-nf-call-iptables=1");
        script.Address(node.Host, "eth0", node.Address, lan.Length);
        script.Ip(node.Host, $"route add default via {LabTopology.At(lan, 1)}");
        if (cluster.IsDualStack)
        {
            script.Address(node.Host, "eth0", LabTopology.At(cluster.Topology.Lan6, 1 + node.Number), cluster.Topology.Lan6.Length);
            script.Ip(node.Host, $"route add ::/0 via {LabTopology.At(cluster.Topology.Lan6, 1)}");
        }

        cluster.Plugin.Build(script, cluster, node);
    }
}
