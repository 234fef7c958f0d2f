using System.Net;
using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

enum CalicoKind
{
    /// <summary>VXLAN; Felix up to 3.28, whose jumps are inserted before all others.</summary>
    VxlanInserting,

    /// <summary>VXLAN; Felix from 3.29, whose jumps are appended.</summary>
    VxlanAppending,

    /// <summary>VXLAN; rules in nftables, source NAT at priority 110.</summary>
    VxlanNftables,

    /// <summary>No encapsulation: plain routes, as BIRD learns them.</summary>
    Bgp,
}

/// <summary>Calico: blocks of 64 addresses of its own IPAM, not the nodes' podCIDRs; the last pod of the last node has an address borrowed from the first node's block.</summary>
sealed class CalicoPlugin(CalicoKind kind) : ICniPlugin
{
    /// <summary>Route protocols: Felix's own, and bird's of /etc/iproute2/rt_protos.</summary>
    const int Felix = 80;
    const int Bird = 12;

    const string Tunnel = "vxlan.calico";
    const string VtepMacs = "02:ca:11";

    public string Name => kind switch
    {
        CalicoKind.VxlanInserting => "calico-vxlan-3.28",
        CalicoKind.VxlanAppending => "calico-vxlan",
        CalicoKind.VxlanNftables => "calico-nftables",
        _ => "calico-bgp",
    };

    /// <summary>Routed pairs and rules of IPv6 as well; between nodes there is nothing.</summary>
    public bool IsDualStack => true;

    bool HasTunnel => kind != CalicoKind.Bgp;

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) =>
        IsBorrowed(cluster, node, pod) ? LabTopology.At(Block(Pool(cluster), 1), 50) : LabTopology.At(Block(Pool(cluster), node), 1 + pod);

    public CniObjects Objects(CniCluster cluster) =>
        CalicoObjects.Of(cluster, kind == CalicoKind.VxlanInserting ? "v3.28.0" : "v3.29.0", HasTunnel, kind == CalicoKind.VxlanNftables);

    public string Policy(CniCluster cluster, CniNode node, LabHost pod, PolicyDirection direction, PolicyPeer? peer) =>
        kind == CalicoKind.VxlanNftables ? CalicoPolicy.Nftables(cluster, node, pod, direction, peer) : CalicoPolicy.Iptables(cluster, node, pod, direction, peer);

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        if (HasTunnel)
        {
            Vxlan(script, cluster, node);
        }

        Routes(script, cluster, node);
        CalicoState.Pods(script, node, HasTunnel ? 1450 : 1500);
        if (kind == CalicoKind.VxlanNftables)
        {
            script.Nft(node.Host, CalicoNftables.Table(cluster, node));
            if (Pool6(cluster.Topology) is { } six)
            {
                script.Nft(node.Host, CalicoNftables.Table6(six, node));
            }
        }
        else
        {
            CalicoState.Sets(script, cluster, node, cluster.Network, HasTunnel);
            var inserts = kind == CalicoKind.VxlanInserting;
            script.Iptables(node.Host, CalicoState.FilterRules(node.Pods, HasTunnel, inserts));
            script.Iptables(node.Host, CalicoState.NatRules(HasTunnel ? Tunnel : null, inserts));
            if (Pool6(cluster.Topology) is { } six)
            {
                CalicoState.Sets(script, cluster, node, six, vxlan: false);
                script.Ip6tables(node.Host, CalicoState.FilterRules(node.Pods, vxlan: false, inserts));
                script.Ip6tables(node.Host, CalicoState.NatRules(null, inserts, "cali60"));
            }
        }

        script.File(node.Host, "/var/lib/calico/nodename", node.Host.ShortName);
        ReferenceCni.Conflist(
            script, node.Host, "10-calico.conflist", "k8s-pod-network",
            new { type = "calico", datastore_type = "kubernetes", nodename = node.Host.ShortName, mtu = HasTunnel ? 1450 : 1500, ipam = new { type = "calico-ipam" }, policy = new { type = "k8s" } },
            new { type = "portmap", snat = true, capabilities = new { portMappings = true } });
    }

    /// <summary>The node's block. Blocks lie where no node's podCIDR is.</summary>
    public static Cidr Block(Cidr pool, int node) => LabTopology.Part(pool, 26, 512 + (37 * node));

    /// <summary>The node's IPv6 block, of 64 addresses as well; null where there is no such pool.</summary>
    public static Cidr? Block6(CniNode node) => node.PodCidr6 is { } six ? LabTopology.Part(six, 122, 0) : null;

    static Cidr Pool(ClusterTopology cluster) => Cidr.Parse(cluster.Spec.PodCidr!);

    public static Cidr? Pool6(ClusterTopology cluster) => cluster.Spec.PodCidr6 is { } six ? Cidr.Parse(six) : null;

    static bool IsBorrowed(ClusterTopology cluster, int node, int pod) =>
        cluster.Spec.Nodes > 1 && node == cluster.Spec.Nodes && cluster.Spec.PodsPerWorker > 1 && pod == cluster.Spec.PodsPerWorker;

    static void Vxlan(NetworkScript script, CniCluster cluster, CniNode node)
    {
        script.Ip(node.Host, $"link add {Tunnel} address {node.Mac(VtepMacs)} mtu 1450 type vxlan id 4096 local {node.Address} dev eth0 dstport 4789 nolearning");
        script.Ip(node.Host, $"addr add {TunnelAddress(cluster, node)}/32 dev {Tunnel}");
        script.Ip(node.Host, $"link set {Tunnel} up");
        foreach (var other in cluster.Others(node))
        {
            script.Ip(node.Host, $"neigh add {TunnelAddress(cluster, other)} lladdr {other.Mac(VtepMacs)} dev {Tunnel} nud permanent");
            script.Bridge(node.Host, $"fdb append {other.Mac(VtepMacs)} dev {Tunnel} dst {other.Address} self permanent");
        }
    }

    void Routes(NetworkScript script, CniCluster cluster, CniNode node)
    {
        foreach (var own in new[] { Block(cluster.Network, node.Number), Block6(node) }.OfType<Cidr>())
        {
            script.Ip(node.Host, $"route add blackhole {own} proto {(HasTunnel ? Felix : Bird)}");
        }

        foreach (var other in cluster.Others(node))
        {
            var hop = HasTunnel ? $"via {TunnelAddress(cluster, other)} dev {Tunnel} onlink proto {Felix}" : $"via {other.Address} dev eth0 proto {Bird}";
            script.Ip(node.Host, $"route add {Block(cluster.Network, other.Number)} {hop}");
            foreach (var pod in other.Pods.Where(p => !Block(cluster.Network, other.Number).Contains(p.Address!)))
            {
                script.Ip(node.Host, $"route add {pod.Address} {hop}");
            }
        }
    }

    static IPAddress TunnelAddress(CniCluster cluster, CniNode node) => Block(cluster.Network, node.Number).Address;
}
