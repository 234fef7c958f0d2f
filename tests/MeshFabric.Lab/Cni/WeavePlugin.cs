using System.Net;
using MeshFabric.Lab.Topology;
using MeshFabric.Net;
using static MeshFabric.Lab.Cni.CniObjects;

namespace MeshFabric.Lab.Cni;

/// <summary>Weave Net 2.8.1 with its policy engine: one flat layer 2 over all nodes, ranges of its own ring instead of the nodes' podCIDRs.</summary>
/// <remarks>The fast data path needs Open vSwitch; here a VXLAN port of the bridge, under the name that Weave's rules look for, carries the same frames.</remarks>
sealed class WeavePlugin : ICniPlugin
{
    const int Mtu = 1376;

    public string Name => "weave";

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => LabTopology.At(Range(Cidr.Parse(cluster.Spec.PodCidr!), node), pod);

    public CniObjects Objects(CniCluster cluster) => new()
    {
        DaemonSets =
        [
            DaemonSet(
                "kube-system", "weave-net", ("name", "weave-net"),
                Container("weave", "docker.io/weaveworks/weave-kube:2.8.1", ("IPALLOC_RANGE", cluster.Network.ToString())), Container("weave-npc", "docker.io/weaveworks/weave-npc:2.8.1")),
        ],
        ConfigMaps = [ConfigMap("kube-system", "weave-net")],
    };

    public string Policy(CniCluster cluster, CniNode node, LabHost pod, PolicyDirection direction, PolicyPeer? peer) =>
        direction == PolicyDirection.Ingress ? WeavePolicy.Ingress(pod, peer) : WeavePolicy.Egress(pod, peer);

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        var network = cluster.Network;
        var range = Range(network, node.Number);
        script.Ip(node.Host, $"link add weave address {node.Mac("02:3e:a7")} mtu {Mtu} type bridge");
        script.Address(node.Host, "weave", range.Address, network.Length);
        script.Ip(node.Host, "link set weave up");
        script.Ip(node.Host, $"link add vethwe-bridge mtu {Mtu} type vxlan id 6784 local {node.Address} dev eth0 dstport 6784");
        script.Ip(node.Host, "link set vethwe-bridge master weave up");
        foreach (var other in cluster.Others(node))
        {
            script.Bridge(node.Host, $"fdb append 00:00:00:00:00:00 dev vethwe-bridge dst {other.Address} self permanent");
        }

        foreach (var (pod, index) in node.Pods.Select((p, i) => (p, i + 1)))
        {
            script.Cable(pod, "eth0", node.Host, $"vethwepl{index}", Mtu);
            script.Ip(node.Host, $"link set vethwepl{index} master weave");
            script.Bridge(node.Host, $"link set dev vethwepl{index} hairpin on");
            script.Address(pod, "eth0", pod.Address!, network.Length);
            script.Ip(pod, $"route add default via {range.Address}");
        }

        script.IpSet(node.Host, $"create weaver-no-masq-local hash:net\nadd weaver-no-masq-local {range}");
        script.IpSet(node.Host, WeavePolicy.Sets(cluster));
        script.Iptables(node.Host, NatRules(network));
        script.Iptables(node.Host, WeavePolicy.FilterRules);
        ReferenceCni.Conflist(
            script, node.Host, "10-weave.conflist", "weave",
            new { name = "weave", type = "weave-net", hairpinMode = true },
            new { type = "portmap", capabilities = new { portMappings = true }, snat = true });
    }

    /// <summary>The node's part of the ring, a /19; nowhere equal to its podCIDR.</summary>
    public static Cidr Range(Cidr network, int node) => LabTopology.Part(network, 19, node);

    static string NatRules(Cidr network) => $"""
        *nat
        :WEAVE - [0:0]
        -A POSTROUTING -j WEAVE
        -A WEAVE -m set --match-set weaver-no-masq-local dst -m comment --comment "Prevent SNAT to locally running containers" -j RETURN
        -A WEAVE -s {network} -d 224.0.0.0/4 -j RETURN
        -A WEAVE ! -s {network} -d {network} -j MASQUERADE
        -A WEAVE -s {network} ! -d {network} -j MASQUERADE
        COMMIT
        """;
}
