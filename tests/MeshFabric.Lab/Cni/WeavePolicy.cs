using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

/// <summary>What weave-npc leaves on a node: sets of all pods of the cluster, and rules that judge what goes to the bridge and what comes from it.</summary>
static class WeavePolicy
{
    /// <summary>Pods of namespace default, on whatever node: those that no policy selects, by direction, and all.</summary>
    const string OpenIn = "weave-open-ingress";
    const string OpenOut = "weave-open-egress";
    const string All = "weave-all-pods";

    /// <summary>Pods that a policy selects.</summary>
    const string Selected = "weave-selected";

    public const string FilterRules = $"""
        *filter
        :WEAVE-NPC - [0:0]
        :WEAVE-NPC-DEFAULT - [0:0]
        :WEAVE-NPC-INGRESS - [0:0]
        :WEAVE-NPC-EGRESS - [0:0]
        :WEAVE-NPC-EGRESS-ACCEPT - [0:0]
        :WEAVE-NPC-EGRESS-CUSTOM - [0:0]
        :WEAVE-NPC-EGRESS-DEFAULT - [0:0]
        -A INPUT -i weave -j WEAVE-NPC-EGRESS
        -A FORWARD -i weave -m comment --comment "NOTE: this must go before '-j KUBE-FORWARD'" -j WEAVE-NPC-EGRESS
        -A FORWARD -o weave -m comment --comment "NOTE: this must go before '-j KUBE-FORWARD'" -j WEAVE-NPC
        -A FORWARD -o weave -m state --state NEW -j NFLOG --nflog-group 86
        -A FORWARD -o weave -j DROP
        -A FORWARD -i weave ! -o weave -j ACCEPT
        -A FORWARD -o weave -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A WEAVE-NPC -m state --state RELATED,ESTABLISHED -j ACCEPT
        -A WEAVE-NPC -d 224.0.0.0/4 -j ACCEPT
        -A WEAVE-NPC -m physdev --physdev-out vethwe-bridge --physdev-is-bridged -j ACCEPT
        -A WEAVE-NPC -m state --state NEW -j WEAVE-NPC-DEFAULT
        -A WEAVE-NPC -m state --state NEW -j WEAVE-NPC-INGRESS
        -A WEAVE-NPC-DEFAULT -m set --match-set {OpenIn} dst -m comment --comment "DefaultAllow ingress isolation for namespace: default" -j ACCEPT
        -A WEAVE-NPC-EGRESS -m state --state RELATED,ESTABLISHED -j ACCEPT
        -A WEAVE-NPC-EGRESS -m physdev --physdev-in vethwe-bridge --physdev-is-bridged -j RETURN
        -A WEAVE-NPC-EGRESS -m addrtype --dst-type LOCAL -j RETURN
        -A WEAVE-NPC-EGRESS -d 224.0.0.0/4 -j RETURN
        -A WEAVE-NPC-EGRESS -m state --state NEW -j WEAVE-NPC-EGRESS-DEFAULT
        -A WEAVE-NPC-EGRESS -m state --state NEW -m mark ! --mark 0x40000/0x40000 -j WEAVE-NPC-EGRESS-CUSTOM
        -A WEAVE-NPC-EGRESS-ACCEPT -j MARK --set-xmark 0x40000/0x40000
        -A WEAVE-NPC-EGRESS-DEFAULT -m set --match-set {OpenOut} src -m comment --comment "DefaultAllow egress isolation for namespace: default" -j WEAVE-NPC-EGRESS-ACCEPT
        -A WEAVE-NPC-EGRESS-DEFAULT -m set --match-set {OpenOut} src -m comment --comment "DefaultAllow egress isolation for namespace: default" -j RETURN
        COMMIT
        """;

    public static string Sets(CniCluster cluster) =>
        $"create {Selected} hash:ip\n" + string.Join('\n', new[] { OpenIn, OpenOut, All }.Select(set =>
            $"create {set} hash:ip" + string.Concat(cluster.Nodes.SelectMany(n => n.Pods).Select(p => $"\nadd {set} {p.Address}"))));

    /// <summary>The engine judges on the node of the sender and on that of the receiver: every node has the policy.</summary>
    public static string Ingress(LabHost pod, PolicyPeer? peer) => peer is null
        ? $"ipset -exist add {OpenIn} {pod.Address}; ipset -exist del {Selected} {pod.Address}; iptables-nft -F WEAVE-NPC-INGRESS"
        : $"ipset -exist del {OpenIn} {pod.Address}; ipset -exist add {Selected} {pod.Address}; iptables-nft -F WEAVE-NPC-INGRESS" + peer.Kind switch
        {
            PolicyPeerKind.Blocks => $"; iptables-nft -A WEAVE-NPC-INGRESS -s {Only(peer)} -m set --match-set {Selected} dst -j ACCEPT",
            PolicyPeerKind.Pods => $"; iptables-nft -A WEAVE-NPC-INGRESS -m set --match-set {All} src -m set --match-set {Selected} dst -j ACCEPT",
            _ => "",
        };

    /// <summary>While a policy isolates what pods ask, the engine drops new flows that no rule marked.</summary>
    public static string Egress(LabHost pod, PolicyPeer? peer)
    {
        const string drop = "WEAVE-NPC-EGRESS -m state --state NEW -m mark ! --mark 0x40000/0x40000 -j DROP";
        const string custom = "iptables-nft -A WEAVE-NPC-EGRESS-CUSTOM";
        var accepted = peer?.Kind switch
        {
            PolicyPeerKind.Blocks => $"-d {Only(peer)} -m set --match-set {Selected} src",
            PolicyPeerKind.Pods => $"-m set --match-set {All} dst -m set --match-set {Selected} src",
            _ => null,
        };
        var rules = accepted is null ? "" : $"; {custom} {accepted} -j WEAVE-NPC-EGRESS-ACCEPT; {custom} {accepted} -j RETURN";
        return "iptables-nft -F WEAVE-NPC-EGRESS-CUSTOM; " + (peer is null
            ? $"ipset -exist add {OpenOut} {pod.Address}; ipset -exist del {Selected} {pod.Address}; iptables-nft -D {drop}"
            : $"ipset -exist del {OpenOut} {pod.Address}; ipset -exist add {Selected} {pod.Address}; iptables-nft -C {drop} 2>/dev/null || iptables-nft -A {drop}" + rules);
    }

    // Weave Net has no IPv6.
    static Cidr Only(PolicyPeer peer) => peer.Blocks.Single(b => b.IsIPv4);
}
