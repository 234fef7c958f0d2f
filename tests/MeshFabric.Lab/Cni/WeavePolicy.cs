namespace MeshFabric.Lab.Cni;

/// <summary>What weave-npc leaves on a node: sets of all pods of the cluster, and rules that judge what goes to the bridge and what comes from it.</summary>
static class WeavePolicy
{
    /// <summary>All pods of namespace default, on whatever node.</summary>
    const string Pods = "weave-default-pods";

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
        -A WEAVE-NPC-DEFAULT -m set --match-set {Pods} dst -m comment --comment "DefaultAllow ingress isolation for namespace: default" -j ACCEPT
        -A WEAVE-NPC-EGRESS -m state --state RELATED,ESTABLISHED -j ACCEPT
        -A WEAVE-NPC-EGRESS -m physdev --physdev-in vethwe-bridge --physdev-is-bridged -j RETURN
        -A WEAVE-NPC-EGRESS -m addrtype --dst-type LOCAL -j RETURN
        -A WEAVE-NPC-EGRESS -d 224.0.0.0/4 -j RETURN
        -A WEAVE-NPC-EGRESS -m state --state NEW -j WEAVE-NPC-EGRESS-DEFAULT
        -A WEAVE-NPC-EGRESS -m state --state NEW -m mark ! --mark 0x40000/0x40000 -j WEAVE-NPC-EGRESS-CUSTOM
        -A WEAVE-NPC-EGRESS-ACCEPT -j MARK --set-xmark 0x40000/0x40000
        -A WEAVE-NPC-EGRESS-DEFAULT -m set --match-set {Pods} src -m comment --comment "DefaultAllow egress isolation for namespace: default" -j WEAVE-NPC-EGRESS-ACCEPT
        -A WEAVE-NPC-EGRESS-DEFAULT -m set --match-set {Pods} src -m comment --comment "DefaultAllow egress isolation for namespace: default" -j RETURN
        COMMIT
        """;

    public static string Sets(CniCluster cluster) =>
        $"create {Pods} hash:ip" + string.Concat(cluster.Nodes.SelectMany(n => n.Pods).Select(p => $"\nadd {Pods} {p.Address}"));
}
