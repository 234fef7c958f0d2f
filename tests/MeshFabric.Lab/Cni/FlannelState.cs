using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

/// <summary>What flanneld leaves on a node; Canal has the same.</summary>
static class FlannelState
{
    const string VtepMacs = "02:f1:a0";

    /// <summary>flannel.1: VNI 1, port 8472; per peer an on-link route, a permanent neighbour and a permanent forwarding entry.</summary>
    public static void Vxlan(NetworkScript script, CniCluster cluster, CniNode node)
    {
        script.Ip(node.Host, $"link add flannel.1 address {Mac(node)} mtu 1450 type vxlan id 1 local {node.Address} dev eth0 dstport 8472 nolearning");
        script.Ip(node.Host, $"addr add {node.PodCidr.Address}/32 dev flannel.1");
        script.Ip(node.Host, "link set flannel.1 up");
        foreach (var other in cluster.Others(node))
        {
            script.Ip(node.Host, $"neigh add {other.PodCidr.Address} lladdr {Mac(other)} dev flannel.1 nud permanent");
            script.Ip(node.Host, $"route add {other.PodCidr} via {other.PodCidr.Address} dev flannel.1 onlink");
            script.Bridge(node.Host, $"fdb append {Mac(other)} dev flannel.1 dst {other.Address} self permanent");
        }
    }

    public static string Mac(CniNode node) => node.Mac(VtepMacs);

    public static void SubnetFile(NetworkScript script, CniCluster cluster, CniNode node, int mtu) => script.File(
        node.Host, "/run/flannel/subnet.env",
        $"FLANNEL_NETWORK={cluster.Network}\nFLANNEL_SUBNET={LabTopology.At(node.PodCidr, 1)}/{node.PodCidr.Length}\n{Six(cluster, node)}FLANNEL_MTU={mtu}\nFLANNEL_IPMASQ=true");

    /// <summary>Of version 0.20, of one family. The last rule hides other clusters' pods from pods on other nodes than the gateway.</summary>
    public static string IptablesRules(Cidr network, Cidr pods) => $"""
        *nat
        :FLANNEL-POSTRTG - [0:0]
        -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
        -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
        -A FLANNEL-POSTRTG -s {network} -d {network} -m comment --comment "flanneld masq" -j RETURN
        -A FLANNEL-POSTRTG -s {network} ! -d {Multicast(network)} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
        -A FLANNEL-POSTRTG ! -s {network} -d {pods} -m comment --comment "flanneld masq" -j RETURN
        -A FLANNEL-POSTRTG ! -s {network} -d {network} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
        COMMIT
        *filter
        :FLANNEL-FWD - [0:0]
        -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
        -A FLANNEL-FWD -s {network} -m comment --comment "flanneld forward" -j ACCEPT
        -A FLANNEL-FWD -d {network} -m comment --comment "flanneld forward" -j ACCEPT
        COMMIT
        """;

    /// <summary>Of version 0.28 with EnableNFTables, of one family.</summary>
    public static string NftRules(Cidr network, Cidr pods) => $$"""
        table {{Family(network)}} flannel-{{(network.IsIPv4 ? "ipv4" : "ipv6")}} {
          chain forward {
            type filter hook forward priority filter; policy accept;
            {{Family(network)}} saddr {{network}} accept
            {{Family(network)}} daddr {{network}} accept
          }
          chain postrtg {
            type nat hook postrouting priority srcnat; policy accept;
            meta mark 0x4000 return
            {{Family(network)}} saddr {{pods}} {{Family(network)}} daddr {{network}} return
            {{Family(network)}} saddr {{network}} {{Family(network)}} daddr {{pods}} return
            {{Family(network)}} saddr != {{pods}} {{Family(network)}} daddr {{network}} return
            {{Family(network)}} saddr {{network}} {{Family(network)}} daddr != {{Multicast(network)}} masquerade fully-random
            {{Family(network)}} saddr != {{network}} {{Family(network)}} daddr {{network}} masquerade fully-random
          }
        }
        """;

    static string Family(Cidr network) => network.IsIPv4 ? "ip" : "ip6";

    static string Multicast(Cidr network) => network.IsIPv4 ? "224.0.0.0/4" : "ff00::/8";

    static string Six(CniCluster cluster, CniNode node) => node.PodCidr6 is { } six
        ? $"FLANNEL_IPV6_NETWORK={cluster.Topology.Spec.PodCidr6}\nFLANNEL_IPV6_SUBNET={LabTopology.At(six, 1)}/{six.Length}\n"
        : "";
}
