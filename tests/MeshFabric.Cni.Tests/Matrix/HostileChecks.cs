using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Others write to the same tables.</summary>
static class HostileChecks
{
    /// <summary>Asked are 5 s; an answer that was lost meanwhile is asked for again a second later. How long it takes on a machine of its own: <c>make bench ONLY=nodes</c>.</summary>
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(6);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    static async Task HealsSoonAsync(Row row, string after)
    {
        var took = await Row.HealsAsync(row.PodPaths.Concat(row.PodPaths6).ToList(), after);
        Assert.True(took < Limit, $"it took {took.TotalSeconds:0.0} s to heal after {after}");
    }

    /// <summary>Everything that the plug-in and kube-proxy wrote goes away and comes back after ours, as when they restart.</summary>
    public static async Task RulesRewrittenAsync(Row row)
    {
        await row.OnNodesAsync("""
            iptables-nft-save | grep -v MESHFABRIC >/run/before || true
            iptables-nft -t nat -F; iptables-nft -F
            iptables-nft-restore </run/before
            for table in "ip calico" "ip6 calico" "ip flannel-ipv4" "ip6 flannel-ipv6" "ip kube-proxy" "ip6 kube-proxy"; do
              if nft list table $table >/run/table 2>/dev/null; then nft delete table $table; nft -f /run/table; fi
            done
            conntrack -F 2>/dev/null
            """);
        await HealsSoonAsync(row, "all rules were written again");
    }

    /// <summary>All rules are flushed and stay away, ours too, where nothing passes without one. The plug-in's own network is down meanwhile; the mesh heals.</summary>
    public static async Task FlushedAsync(Row row)
    {
        var saved = new Dictionary<string, string>();
        foreach (var node in row.Nodes)
        {
            saved[node.Name] = await row.Lab.ShellAsync(node.Name, "iptables-nft-save", Cancellation);
        }

        await row.OnNodesAsync("iptables-nft -P FORWARD DROP; iptables-nft -t nat -F; iptables-nft -F");
        if (row.PodPaths6.Count > 0)
        {
            await row.OnNodesAsync(Drop6);
        }

        await row.OnNodesAsync("conntrack -F 2>/dev/null");
        try
        {
            await HealsSoonAsync(row, "iptables -F with a policy of DROP");
        }
        finally
        {
            foreach (var node in row.Nodes)
            {
                await row.Lab.ShellAsync(node.Name, $"iptables-nft-restore <<'END'\n{saved[node.Name]}\nEND", Cancellation);
                if (row.PodPaths6.Count > 0)
                {
                    await row.Lab.ShellAsync(node.Name, Accept6, Cancellation);
                }
            }
        }
    }

    // By nft: ip6tables would make chains that stay. Where Flannel, Calico or kube-proxy have rules the table is theirs.
    const string Drop6 = "nft add table ip6 filter; nft add chain ip6 filter FORWARD '{ type filter hook forward priority 0; policy drop; }'";
    const string Accept6 = "if nft list table ip6 filter | grep -qE 'chain (FLANNEL-FWD|cali-FORWARD|KUBE-FORWARD)'; then nft add chain ip6 filter FORWARD '{ type filter hook forward priority 0; policy accept; }'; else nft delete table ip6 filter; fi";

    /// <summary>As Docker and hardened systems have it. The plug-in's own rules may be all that lets its pods through.</summary>
    public static async Task ForwardDropsAsync(Row row)
    {
        await row.OnNodesAsync("iptables-nft -P FORWARD DROP; conntrack -F 2>/dev/null");
        try
        {
            await HealsSoonAsync(row, "FORWARD's policy became DROP");
        }
        finally
        {
            await row.OnNodesAsync("iptables-nft -P FORWARD ACCEPT");
        }
    }

    /// <summary>Somebody hardens the nodes while they run: each device checks sources strictly, ours too.</summary>
    public static async Task StrictSourcesAsync(Row row)
    {
        const string all = "/proc/sys/net/ipv4/conf/*/rp_filter";
        var saved = new Dictionary<string, string>();
        foreach (var node in row.Nodes)
        {
            saved[node.Name] = await row.Lab.ShellAsync(node.Name, $"for f in {all}; do echo \"echo $(cat $f) >$f\"; done", Cancellation);
        }

        await row.OnNodesAsync($"for f in {all}; do echo 1 >$f; done");
        try
        {
            await HealsSoonAsync(row, "rp_filter became 1 everywhere");
            foreach (var node in row.Nodes)
            {
                // Where both ways are the same it works by then, before ours was put back.
                await Until.TrueAsync(
                    async () => await row.Lab.ShellAsync(node.Name, "cat /proc/sys/net/ipv4/conf/meshx0/rp_filter", Cancellation) == "2\n", Limit, $"rp_filter of meshx0 on {node.ShortName} to be 2 again", Cancellation);
                Assert.Equal("1\n", await row.Lab.ShellAsync(node.Name, "cat /proc/sys/net/ipv4/conf/all/rp_filter", Cancellation));
            }
        }
        finally
        {
            foreach (var node in row.Nodes)
            {
                await row.Lab.ShellAsync(node.Name, $"{{ {saved[node.Name].Trim().Replace("\n", "; ", StringComparison.Ordinal)}; }} 2>/dev/null || true", Cancellation);
            }
        }
    }

    /// <summary>A node on which both kinds of iptables are in force, each with a rule that hides and one that drops.</summary>
    public static async Task LegacyMasqueradeAsync(Row row)
    {
        var pods = row.Lab.Topology.Cluster(row.Cluster).Spec.PodCidr;
        await row.OnNodesAsync($"iptables-legacy -t nat -A POSTROUTING -s {pods} ! -d {pods} -j MASQUERADE; iptables-legacy -P FORWARD DROP; conntrack -F 2>/dev/null");
        try
        {
            await HealsSoonAsync(row, "legacy rules hid and dropped");
        }
        finally
        {
            await row.OnNodesAsync($"iptables-legacy -t nat -D POSTROUTING -s {pods} ! -d {pods} -j MASQUERADE; iptables-legacy -P FORWARD ACCEPT");
        }
    }
}
