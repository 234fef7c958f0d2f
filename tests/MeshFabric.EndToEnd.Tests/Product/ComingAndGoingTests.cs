using System.Diagnostics;
using System.Text.RegularExpressions;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>Clusters and machines that join a running mesh, change, and leave it without a trace.</summary>
[Collection(WholeMachine.Name)]
public sealed class ComingAndGoingTests(JoinedMesh mesh) : IClassFixture<JoinedMesh>
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_removed_cluster_is_cut_off_everywhere_and_its_host_is_as_before()
    {
        await mesh.Lab.ShellAsync("delta-gw1", "echo 0 >/proc/sys/net/ipv4/fib_multipath_hash_policy", Cancellation);
        await mesh.Mesh.StartAgentAsync("delta-gw1", Cancellation);
        var before = await FingerprintAsync("delta-gw1");
        await mesh.Mesh.JoinAsync("delta", Cancellation);
        await mesh.ReachesAsync("aurora-w1-p1", "10.30.1.10", Cancellation);
        await mesh.ReachesAsync("delta-w1-p1", "100.64.1.10", Cancellation);
        Assert.NotEqual(before, await FingerprintAsync("delta-gw1"));

        await mesh.MfctlAsync("cluster", "remove", "delta", "--yes");
        foreach (var gateway in new[] { "aurora-gw1", "aurora-gw2", "cirrus-gw2" })
        {
            await Until.TrueAsync(async () => !(await mesh.Lab.ShellAsync(gateway, "ip route show table 7710", Cancellation)).Contains("10.30.0.0/16", StringComparison.Ordinal), JoinedMesh.Limit, $"{gateway} to forget delta", Cancellation);
        }

        Assert.Null(await mesh.SeenAsAsync("aurora-w1-p1", "10.30.1.10", Cancellation));
        await Until.TrueAsync(() => mesh.Mesh.Agent("delta-gw1").Pid is null, JoinedMesh.Limit, "delta's agent to end", Cancellation);
        Assert.Equal(before, await FingerprintAsync("delta-gw1"));
    }

    [Fact]
    public async Task A_drained_gateway_carries_nothing_from_the_others_and_nothing_is_lost_on_the_way_there_and_back()
    {
        await using var flows = PingFlows.Start(mesh["borealis-w1-p1"], mesh["aurora-w1-p1"].Address!, count: 8);
        await flows.GoOnAsync(JoinedMesh.Limit, "before", Cancellation, answers: 50);
        Assert.Contains("drained", await mesh.MfctlAsync("gateway", "drain", "aurora/gw1"), StringComparison.Ordinal);
        Assert.Equal(["mf1"], await CarriersAsync("borealis-gw1", "10.10.0.0/16"));
        Assert.Equal(["mf1"], await CarriersAsync("cirrus-gw2", "10.10.0.0/16"));
        var tunnels = await mesh.MfctlAsync("tunnel", "list", "--cluster", "aurora", "-o", "json");
        Assert.DoesNotContain("\"down\"", tunnels, StringComparison.Ordinal);

        Assert.DoesNotContain("drained", await mesh.MfctlAsync("gateway", "undrain", "aurora/gw1"), StringComparison.Ordinal);
        Assert.Equal(["mf0", "mf1"], await CarriersAsync("borealis-gw1", "10.10.0.0/16"));
        Assert.All(await flows.StopAsync(), r => Assert.True(r.Lost == 0, r.Told));
    }

    /// <summary>Those whom its packets reach learn the new one from them; a NAT box lets none in from there, until the machine behind it is told where to dial.</summary>
    [Fact]
    public async Task A_gateway_that_gets_another_public_address_is_found_there_within_seconds()
    {
        var (before, after) = (mesh["aurora-gw1"].Address!, "198.51.100.200");
        var port = $"c{mesh.Lab.Topology.Cluster("aurora").Index}g1";
        await JoinLaptopAsync();
        await Until.TrueAsync(async () => (await CarriersAsync("laptop-gw1", "10.10.0.0/16")).SequenceEqual(["mf0", "mf1"]), JoinedMesh.Limit, "the machine to reach both gateways", Cancellation);
        await mesh.Lab.ShellAsync("inet", $"ip route add {after}/32 dev {port}", Cancellation);
        try
        {
            await mesh.Lab.ShellAsync("aurora-gw1", $"ip addr add {after}/32 dev wan; ip addr del {before}/30 dev wan; ip route replace 198.51.100.1 dev wan src {after}; ip route replace default via 198.51.100.1 src {after}", Cancellation);
            await Until.TrueAsync(async () => (await CarriersAsync("laptop-gw1", "10.10.0.0/16")).SequenceEqual(["mf1"]), JoinedMesh.Limit, "the machine to notice that the gateway is gone", Cancellation);
            await Until.TrueAsync(async () => (await CarriersAsync("borealis-gw1", "10.10.0.0/16")).SequenceEqual(["mf0", "mf1"]), JoinedMesh.Limit, "a gateway with an address to have followed by itself", Cancellation);
            await mesh.MfctlAsync("gateway", "set", "aurora/gw1", "--endpoint", $"{after}:51820", "--no-wait");
            var told = Stopwatch.StartNew();
            await Until.TrueAsync(async () => (await CarriersAsync("laptop-gw1", "10.10.0.0/16")).SequenceEqual(["mf0", "mf1"]), JoinedMesh.Limit, "the machine to find the gateway at its new address", Cancellation);
            TestContext.Current.SendDiagnosticMessage($"found at its new address after {told.Elapsed.TotalSeconds:0.0} s");
            Assert.True(told.Elapsed < TimeSpan.FromSeconds(20), $"{told.Elapsed.TotalSeconds:0.0} s");
        }
        finally
        {
            await mesh.Lab.ShellAsync("aurora-gw1", $"set +e; ip addr del {after}/32 dev wan; ip route del 198.51.100.1 dev wan; ip addr add {before}/30 dev wan; ip route replace default via 198.51.100.1 dev wan", Cancellation);
            await mesh.Lab.ShellAsync("inet", $"ip route del {after}/32 || true", Cancellation);
            await mesh.MfctlAsync("gateway", "set", "aurora/gw1", "--endpoint", $"{before}:51820", "--no-wait");
            await RemoveLaptopAsync();
            await mesh.MfctlAsync("status", "--wait", "--timeout", "100");
        }
    }

    /// <summary>Devices that a prefix of the mesh is sent by, sorted.</summary>
    async Task<IReadOnlyList<string>> CarriersAsync(string gateway, string prefix)
    {
        var routes = await mesh.Lab.ShellAsync(gateway, $"ip route show table 7710 {prefix} | grep -v unreachable", Cancellation);
        return [.. Regex.Matches(routes, "dev (mf[0-9])").Select(m => m.Groups[1].Value).Distinct().Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task An_agent_that_was_away_learns_what_it_missed()
    {
        await mesh.Mesh.Agent("borealis-gw2").StopAsync("KILL", Cancellation);
        await JoinDeltaByItsAgentAsync();
        await mesh.Mesh.StartAgentAsync("borealis-gw2", Cancellation);
        await Until.TrueAsync(() => mesh.SucceedsAsync("borealis-gw2", "ip route show table 7710 | grep -q 10.30.0.0/16"), JoinedMesh.Limit, "the restarted agent to know delta", Cancellation);
        await RemoveDeltaAsync();
    }

    [Fact]
    public async Task An_agent_that_was_away_when_its_cluster_was_removed_leaves_when_it_returns()
    {
        await JoinDeltaByItsAgentAsync();
        await mesh.Mesh.Agent("delta-gw1").StopAsync("KILL", Cancellation);
        await mesh.MfctlAsync("cluster", "remove", "delta", "--yes");
        await mesh.Mesh.StartAgentAsync("delta-gw1", Cancellation);
        await Until.TrueAsync(() => mesh.Mesh.Agent("delta-gw1").Pid is null, JoinedMesh.Limit, "the removed agent to leave", Cancellation);
        Assert.DoesNotContain("mf0", await mesh.Lab.ShellAsync("delta-gw1", "ip link", Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_edited_inventory_file_changes_what_the_mesh_reaches()
    {
        await JoinDeltaByItsAgentAsync();
        var file = Path.Combine(mesh.Lab.Directory, "site.yaml");
        await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file, Cancellation)).Replace("10.30.0.0/16", "10.30.0.0/16, 10.31.0.0/16", StringComparison.Ordinal), Cancellation);
        await Until.TrueAsync(() => mesh.SucceedsAsync("aurora-gw1", "ip route show table 7710 | grep -q 10.31.0.0/16"), JoinedMesh.Limit, "aurora to know the added network", Cancellation);
        Assert.Contains("10.31.0.0/16", await mesh.MfctlAsync("cluster", "get", "delta"), StringComparison.Ordinal);
        await RemoveDeltaAsync();
    }

    [Fact]
    public async Task A_machine_behind_a_nat_box_joins_by_its_own_and_leaves()
    {
        var token = await JoinLaptopAsync();
        await mesh.ReachesAsync("laptop-gw1", "100.64.1.10", Cancellation);
        var seen = await mesh.SeenAsAsync("laptop-gw1", "10.10.1.10", Cancellation);
        Assert.StartsWith("198.19.", seen?.ToString(), StringComparison.Ordinal);
        Assert.True(await mesh.SucceedsAsync("aurora-w1-p1", $"ping -c 1 -W 3 {seen}"));
        Assert.Contains("machine laptop/gw1", await mesh.Lab.ShellAsync("laptop-gw1", "meshfabric-agent status", Cancellation), StringComparison.Ordinal);

        // A token that was used says so.
        var again = await mesh.Lab.ExecAsync("delta-gw1", ["meshfabric-agent", "join", "--token-file", "-", "--role", "machine", "--cluster", "other", "--gateway", "gw1"], Cancellation, token);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("used 1 of 1 times", again.Error, StringComparison.Ordinal);

        await RemoveLaptopAsync();
        Assert.False(await mesh.SucceedsAsync("laptop-gw1", "ip link show mf0"));
    }

    [Fact]
    public async Task A_damaged_facts_file_is_set_aside_and_the_facts_are_fetched_anew()
    {
        await mesh.Mesh.Agent("cirrus-gw1").StopAsync("KILL", Cancellation);
        await mesh.Lab.ShellAsync("cirrus-gw1", "printf '{' >/var/lib/meshfabric/facts.json", Cancellation);
        await mesh.Mesh.StartAgentAsync("cirrus-gw1", Cancellation);
        await Until.TrueAsync(() => mesh.SucceedsAsync("cirrus-gw1", "test -s /var/lib/meshfabric/facts.json && test -s /var/lib/meshfabric/facts.json.corrupt"), JoinedMesh.Limit, "the facts to be there again", Cancellation);
        await mesh.MfctlAsync("status", "--wait", "--timeout", "100");
    }

    /// <returns>The token that it used.</returns>
    async Task<string> JoinLaptopAsync()
    {
        await mesh.Mesh.StartAgentAsync("laptop-gw1", Cancellation);
        var token = (await mesh.MfctlAsync("token", "create")).Trim();
        (await mesh.Lab.ExecAsync("laptop-gw1", ["meshfabric-agent", "join", "--token-file", "-", "--role", "machine", "--cluster", "laptop", "--gateway", "gw1"], Cancellation, token)).Checked("joining the machine");
        await mesh.ReachesAsync("laptop-gw1", "10.10.1.10", Cancellation);
        return token;
    }

    async Task RemoveLaptopAsync()
    {
        await mesh.MfctlAsync("cluster", "remove", "laptop", "--yes");
        await Until.TrueAsync(() => mesh.Mesh.Agent("laptop-gw1").Pid is null, JoinedMesh.Limit, "the machine's agent to end", Cancellation);
    }

    async Task JoinDeltaByItsAgentAsync()
    {
        var file = Path.Combine(mesh.Lab.Directory, "site.yaml");
        await File.WriteAllTextAsync(file, "apiVersion: meshfabric.io/v1\nkind: ClusterInventory\nmetadata: { name: delta }\nspec: { kind: site, podCidrs: [ 10.30.0.0/16 ] }\n", Cancellation);
        await mesh.Mesh.StartAgentAsync("delta-gw1", Cancellation);
        var token = (await mesh.MfctlAsync("token", "create")).Trim();
        (await mesh.Lab.ExecAsync(
            "delta-gw1",
            ["meshfabric-agent", "join", "--token-file", "-", "--cluster", "delta", "--gateway", "gw1", "--endpoint", $"{mesh["delta-gw1"].Address}:51820", "--inventory", file],
            Cancellation,
            token)).Checked("joining delta");
        await mesh.ReachesAsync("aurora-w1-p1", "10.30.1.10", Cancellation);
    }

    async Task RemoveDeltaAsync()
    {
        await mesh.MfctlAsync("cluster", "remove", "delta", "--yes");
        await Until.TrueAsync(() => mesh.Mesh.Agent("delta-gw1").Pid is null, JoinedMesh.Limit, "delta's agent to end", Cancellation);
    }

    /// <summary>Links, addresses, routes, rules, tables, settings and files of a host.</summary>
    Task<string> FingerprintAsync(string host) => mesh.Lab.ShellAsync(
        host,
        """
        ip -o link | grep -v 'wireguard' | sed 's/qdisc.*//'; ip -o addr | sed 's/valid_lft.*//'; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; nft list ruleset
        sysctl -a 2>/dev/null | grep -E '^net.ipv[46].(ip_forward|fib_multipath_hash_policy|conf.(all|default).(forwarding|rp_filter))' | sort
        ls /var/lib/meshfabric /run/wireguard | grep -vE '^(agent.sock|lock)$'
        """,
        Cancellation);
}
