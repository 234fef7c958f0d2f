using System.Net;
using MeshFabric.Lab.Topology;
using static MeshFabric.Lab.Cni.CniObjects;

namespace MeshFabric.Lab.Cni;

/// <summary>Canal: flannel's network (VXLAN, rules of 0.20) with Calico's policy; no bridge, pods as Calico links them, addresses of the nodes' podCIDRs.</summary>
sealed class CanalPlugin : ICniPlugin
{
    public string Name => "canal";

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => ReferenceCni.PodAddress(cluster, node, pod);

    public CniObjects Objects(CniCluster cluster) => new()
    {
        DaemonSets =
        [
            DaemonSet(
                "kube-system", "canal", ("k8s-app", "canal"),
                Container("calico-node", "docker.io/calico/node:v3.29.0", ("CLUSTER_TYPE", "k8s,canal"), ("CALICO_NETWORKING_BACKEND", "none")),
                Container("kube-flannel", "docker.io/flannel/flannel:v0.20.2")),
        ],
        ConfigMaps = [ConfigMap("kube-system", "canal-config", ("net-conf.json", FlannelObjects.NetConf(cluster, vxlan: true, nftables: false)), ("masquerade", "true"), ("canal_iface", ""))],
        // calico-node makes a pool of its own, which nobody has addresses of.
        CustomObjects = [CalicoObjects.Pool("default-ipv4-ippool", Net.Cidr.Parse("192.168.0.0/16"), "Never")],
        Annotations = node => FlannelObjects.Annotations(node, vxlan: true),
    };

    public string Policy(CniCluster cluster, CniNode node, LabHost pod, PolicyDirection direction, PolicyPeer? peer) => CalicoPolicy.Iptables(cluster, node, pod, direction, peer);

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
