using System.Net;
using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

/// <summary>What Felix writes for a policy on a pod: on the pod's node, in the chain of what goes to it, or of what comes from it.</summary>
static class CalicoPolicy
{
    // What comes to a workload is judged by where it is from, what comes from one by where it goes.
    static readonly Side ToWorkload = new("tw", "pri", "-s", "src", "saddr");
    static readonly Side FromWorkload = new("fw", "pro", "-d", "dst", "daddr");

    /// <returns>A shell script; on other nodes than the pod's it does nothing.</returns>
    public static string Iptables(CniCluster cluster, CniNode node, LabHost pod, PolicyDirection direction, PolicyPeer? peer) =>
        OfBothFamilies(cluster, node, pod, network => Iptables(cluster, network, pod, Of(direction), peer));

    static string Iptables(CniCluster cluster, Cidr network, LabHost pod, Side side, PolicyPeer? peer)
    {
        var chain = $"cali-{side.Chain}-{CalicoState.Device(pod)}";
        var (restore, set, kind) = network.IsIPv4 ? ("iptables-nft-restore", "cali40s:pods", "hash:ip") : ("ip6tables-nft-restore", "cali60s:pods", "hash:ip family inet6");
        return $"""
            ipset -exist create {set} {kind}
            {string.Join('\n', Pods(cluster, network).Select(p => $"ipset -exist add {set} {p}"))}
            {restore} --noflush <<'END'
            *filter
            :{chain} - [0:0]
            -A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A {chain} -m conntrack --ctstate INVALID -j DROP
            -A {chain} -j MARK --set-xmark 0x0/0x10000
            {string.Join('\n', peer is null ? Profile(chain, side) : Rules(chain, side, set, peer, network))}
            COMMIT
            END
            {(peer is null ? $"ipset destroy {set}" : "")}
            """;
    }

    public static string Nftables(CniCluster cluster, CniNode node, LabHost pod, PolicyDirection direction, PolicyPeer? peer) =>
        OfBothFamilies(cluster, node, pod, network => Nftables(cluster, network, pod, Of(direction), peer));

    static string OfBothFamilies(CniCluster cluster, CniNode node, LabHost pod, Func<Cidr, string> script) => node.Pods.Contains(pod) ? string.Join('\n', cluster.Networks.Select(script)) : "true";

    static string Nftables(CniCluster cluster, Cidr network, LabHost pod, Side side, PolicyPeer? peer)
    {
        var ip = network.IsIPv4 ? "ip" : "ip6";
        var chain = $"{ip} calico filter-cali-{side.Chain}-{CalicoState.Device(pod)}";
        var others = peer?.Kind switch
        {
            PolicyPeerKind.Blocks => peer.Blocks.Where(b => b.Family == network.Family).Select(b => b.ToString()).ToList(),
            PolicyPeerKind.Pods => Pods(cluster, network).Select(p => p.ToString()).ToList(),
            _ => [],
        };
        // A set has one address at least: one that nobody has.
        var accepts = peer is null ? "" : $"{ip} {side.Address} {{ {string.Join(", ", others.DefaultIfEmpty(network.IsIPv4 ? "255.255.255.255" : "::1"))} }} ";
        return $"""
            nft -f - <<'END'
            flush chain {chain}
            add rule {chain} ct state established,related accept
            add rule {chain} ct state invalid drop
            add rule {chain} meta mark set meta mark & 0xfffeffff
            add rule {chain} {accepts}meta mark set meta mark | 0x00010000{(peer is null ? " comment \"Profile kns.default\"" : "")}
            add rule {chain} meta mark & 0x00010000 == 0x00010000 return
            add rule {chain} counter drop comment "Drop if no profiles matched"
            END
            """;
    }

    static IEnumerable<IPAddress> Pods(CniCluster cluster, Cidr network) => cluster.Nodes.SelectMany(n => n.Pods).SelectMany(p => p.Addresses).Where(a => a.AddressFamily == network.Family);

    static Side Of(PolicyDirection direction) => direction == PolicyDirection.Ingress ? ToWorkload : FromWorkload;

    static string[] Profile(string chain, Side side) =>
    [
        $"-A {chain} -j cali-{side.Profile}-kns.default",
        $"-A {chain} -m mark --mark 0x10000/0x10000 -j RETURN",
        $"-A {chain} -m comment --comment \"Drop if no profiles matched\" -j DROP",
    ];

    static string[] Rules(string chain, Side side, string pods, PolicyPeer peer, Cidr network) =>
    [
        .. peer.Kind switch
        {
            PolicyPeerKind.Blocks => peer.Blocks.Where(b => b.Family == network.Family).Select(b => $"-A {chain} {side.Option} {b} -j MARK --set-xmark 0x10000/0x10000"),
            PolicyPeerKind.Pods => [$"-A {chain} -m set --match-set {pods} {side.Match} -j MARK --set-xmark 0x10000/0x10000"],
            _ => [],
        },
        $"-A {chain} -m mark --mark 0x10000/0x10000 -j RETURN",
        $"-A {chain} -m comment --comment \"Drop if no policies passed packet\" -j DROP",
    ];

    /// <param name="Chain">Begins the endpoint's chain.</param>
    /// <param name="Profile">Begins the namespace's chain.</param>
    /// <param name="Option">iptables' for the other side's address.</param>
    /// <param name="Match">ipset's.</param>
    /// <param name="Address">nftables'.</param>
    sealed record Side(string Chain, string Profile, string Option, string Match, string Address);
}
