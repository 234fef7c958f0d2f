using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>What Felix writes for a policy on a pod: on the pod's node, in the chain of what goes to it, or of what comes from it.</summary>
static class CalicoPolicy
{
    const string Selected = "cali40s:pods";

    // What comes to a workload is judged by where it is from, what comes from one by where it goes.
    static readonly Side ToWorkload = new("tw", "pri", "-s", "src", "saddr");
    static readonly Side FromWorkload = new("fw", "pro", "-d", "dst", "daddr");

    /// <returns>A shell script; on other nodes than the pod's it does nothing.</returns>
    public static string Iptables(CniCluster cluster, CniNode node, LabHost pod, PolicyDirection direction, PolicyPeer? peer)
    {
        if (!node.Pods.Contains(pod))
        {
            return "true";
        }

        var side = Of(direction);
        var chain = $"cali-{side.Chain}-{CalicoState.Device(pod)}";
        return $"""
            ipset -exist create {Selected} hash:ip
            {string.Join('\n', cluster.Nodes.SelectMany(n => n.Pods).Select(p => $"ipset -exist add {Selected} {p.Address}"))}
            iptables-nft-restore --noflush <<'END'
            *filter
            :{chain} - [0:0]
            -A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A {chain} -m conntrack --ctstate INVALID -j DROP
            -A {chain} -j MARK --set-xmark 0x0/0x10000
            {string.Join('\n', peer is null ? Profile(chain, side) : Rules(chain, side, peer))}
            COMMIT
            END
            {(peer is null ? $"ipset destroy {Selected}" : "")}
            """;
    }

    public static string Nftables(CniCluster cluster, CniNode node, LabHost pod, PolicyDirection direction, PolicyPeer? peer)
    {
        if (!node.Pods.Contains(pod))
        {
            return "true";
        }

        var side = Of(direction);
        var chain = $"ip calico filter-cali-{side.Chain}-{CalicoState.Device(pod)}";
        var pods = string.Join(", ", cluster.Nodes.SelectMany(n => n.Pods).Select(p => p.Address));
        var accepts = peer?.Kind switch
        {
            null => "",
            PolicyPeerKind.Block => $"ip {side.Address} {peer.Block} ",
            PolicyPeerKind.Pods => $"ip {side.Address} {{ {pods} }} ",
            _ => $"ip {side.Address} 255.255.255.255 ",
        };
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

    static Side Of(PolicyDirection direction) => direction == PolicyDirection.Ingress ? ToWorkload : FromWorkload;

    static string[] Profile(string chain, Side side) =>
    [
        $"-A {chain} -j cali-{side.Profile}-kns.default",
        $"-A {chain} -m mark --mark 0x10000/0x10000 -j RETURN",
        $"-A {chain} -m comment --comment \"Drop if no profiles matched\" -j DROP",
    ];

    static string[] Rules(string chain, Side side, PolicyPeer peer) =>
    [
        .. peer.Kind switch
        {
            PolicyPeerKind.Block => new[] { $"-A {chain} {side.Option} {peer.Block} -j MARK --set-xmark 0x10000/0x10000" },
            PolicyPeerKind.Pods => [$"-A {chain} -m set --match-set {Selected} {side.Match} -j MARK --set-xmark 0x10000/0x10000"],
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
