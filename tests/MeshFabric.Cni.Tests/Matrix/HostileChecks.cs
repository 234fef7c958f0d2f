namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Others write to the same tables.</summary>
static class HostileChecks
{
    /// <summary>Everything that the plug-in and kube-proxy wrote goes away and comes back after ours, as when they restart.</summary>
    public static async Task RulesRewrittenAsync(Row row)
    {
        await row.OnNodesAsync("""
            iptables-nft-save | grep -v MESHFABRIC >/run/before
            iptables-nft -t nat -F; iptables-nft -F
            iptables-nft-restore </run/before
            for table in calico flannel-ipv4; do
              if nft list table ip $table >/run/table 2>/dev/null; then nft delete table ip $table; nft -f /run/table; fi
            done
            conntrack -F 2>/dev/null
            """);
        await Row.HealsAsync(row.PodPaths, "all rules were written again");
    }

    /// <summary>All rules are flushed and stay away, ours too, where nothing passes without one. The plug-in's own network is down meanwhile; the mesh heals.</summary>
    public static async Task FlushedAsync(Row row)
    {
        var saved = new Dictionary<string, string>();
        foreach (var node in row.Nodes)
        {
            saved[node.Name] = await row.Lab.ShellAsync(node.Name, "iptables-nft-save", TestContext.Current.CancellationToken);
        }

        await row.OnNodesAsync("iptables-nft -P FORWARD DROP; iptables-nft -t nat -F; iptables-nft -F; conntrack -F 2>/dev/null");
        try
        {
            await Row.HealsAsync(row.PodPaths, "iptables -F with a policy of DROP");
        }
        finally
        {
            foreach (var node in row.Nodes)
            {
                await row.Lab.ShellAsync(node.Name, $"iptables-nft-restore <<'END'\n{saved[node.Name]}\nEND", TestContext.Current.CancellationToken);
            }
        }
    }

    /// <summary>As Docker and hardened systems have it. The plug-in's own rules may be all that lets its pods through.</summary>
    public static async Task ForwardDropsAsync(Row row)
    {
        await row.OnNodesAsync("iptables-nft -P FORWARD DROP; conntrack -F 2>/dev/null");
        try
        {
            await Row.HealsAsync(row.PodPaths, "FORWARD's policy became DROP");
        }
        finally
        {
            await row.OnNodesAsync("iptables-nft -P FORWARD ACCEPT");
        }
    }

    /// <summary>A node on which both kinds of iptables are in force, each with a rule that hides and one that drops.</summary>
    public static async Task LegacyMasqueradeAsync(Row row)
    {
        var pods = row.Lab.Topology.Cluster(row.Cluster).Spec.PodCidr;
        await row.OnNodesAsync($"iptables-legacy -t nat -A POSTROUTING -s {pods} ! -d {pods} -j MASQUERADE; iptables-legacy -P FORWARD DROP; conntrack -F 2>/dev/null");
        try
        {
            await Row.HealsAsync(row.PodPaths, "legacy rules hid and dropped");
        }
        finally
        {
            await row.OnNodesAsync($"iptables-legacy -t nat -D POSTROUTING -s {pods} ! -d {pods} -j MASQUERADE; iptables-legacy -P FORWARD ACCEPT");
        }
    }
}
