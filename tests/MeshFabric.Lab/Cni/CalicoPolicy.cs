using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>What Felix writes for a policy on a pod: on the pod's node, in the chain of what goes to it.</summary>
static class CalicoPolicy
{
    const string Selected = "cali40s:pods";

    /// <returns>A shell script; on other nodes than the pod's it does nothing.</returns>
    public static string Iptables(CniCluster cluster, CniNode node, LabHost pod, PolicyPeer? peer)
    {
        if (!node.Pods.Contains(pod))
        {
            return "true";
        }

        var chain = $"cali-tw-{CalicoState.Device(pod)}";
        return $"""
            ipset -exist create {Selected} hash:ip
            {string.Join('\n', cluster.Nodes.SelectMany(n => n.Pods).Select(p => $"ipset -exist add {Selected} {p.Address}"))}
            iptables-nft-restore --noflush <<'END'
            *filter
            :{chain} - [0:0]
            -A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A {chain} -m conntrack --ctstate INVALID -j DROP
            -A {chain} -j MARK --set-xmark 0x0/0x10000
            {string.Join('\n', peer is null ? Profile(chain) : Rules(chain, peer))}
            COMMIT
            END
            """;
    }

    public static string Nftables(CniCluster cluster, CniNode node, LabHost pod, PolicyPeer? peer)
    {
        if (!node.Pods.Contains(pod))
        {
            return "true";
        }

        var chain = $"ip calico filter-cali-tw-{CalicoState.Device(pod)}";
        var pods = string.Join(", ", cluster.Nodes.SelectMany(n => n.Pods).Select(p => p.Address));
        var accepts = peer?.Kind switch
        {
            null => "",
            PolicyPeerKind.Block => $"ip saddr {peer.Block} ",
            PolicyPeerKind.Pods => $"ip saddr {{ {pods} }} ",
            _ => "ip saddr 255.255.255.255 ",
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

    static string[] Profile(string chain) =>
    [
        $"-A {chain} -j cali-pri-kns.default",
        $"-A {chain} -m mark --mark 0x10000/0x10000 -j RETURN",
        $"-A {chain} -m comment --comment \"Drop if no profiles matched\" -j DROP",
    ];

    static string[] Rules(string chain, PolicyPeer peer) =>
    [
        .. peer.Kind switch
        {
            PolicyPeerKind.Block => new[] { $"-A {chain} -s {peer.Block} -j MARK --set-xmark 0x10000/0x10000" },
            PolicyPeerKind.Pods => [$"-A {chain} -m set --match-set {Selected} src -j MARK --set-xmark 0x10000/0x10000"],
            _ => [],
        },
        $"-A {chain} -m mark --mark 0x10000/0x10000 -j RETURN",
        $"-A {chain} -m comment --comment \"Drop if no policies passed packet\" -j DROP",
    ];
}
