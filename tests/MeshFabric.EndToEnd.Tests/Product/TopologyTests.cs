using System.Net;
using System.Text.Json;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>Two places of a hub with two gateways and a spoke each; the spokes use the same prefixes inside.</summary>
public sealed class TwoPlaces : IAsyncLifetime
{
    static readonly LabSpec Spec = new(
        "places",
        [
            new ClusterSpec("east", "10.10.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
            new ClusterSpec("west", "10.10.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
            new ClusterSpec("easthub", "10.30.0.0/16") { PodsPerWorker = 1 },
            new ClusterSpec("westhub", "10.40.0.0/16") { PodsPerWorker = 1 },
        ]);

    PodServers? _servers;

    public MeshLab Mesh { get; private set; } = null!;

    public MeshFabric.Lab.Lab Lab => Mesh.Lab;

    public LabHost East => Lab.Topology["east-w1-p1"];

    public LabHost West => Lab.Topology["west-w1-p1"];

    /// <summary>What each reaches the other by: west is remapped, and so east has an alias for it.</summary>
    public IPAddress WestSeenFromEast { get; private set; } = null!;

    public IPAddress EastSeenFromWest { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Mesh = await MeshLab.CreateAsync(Spec, JoinedMesh.Programs, _ => { }, CancellationToken.None);
        _servers = PodServers.Start(Lab.Topology);
        foreach (var cluster in Spec.Clusters.Select(c => c.Name))
        {
            await Mesh.JoinAsync(cluster, CancellationToken.None);
            await Mesh.MfctlAsync(CancellationToken.None, "cluster", "label", cluster, $"place={cluster[..4]}", cluster.EndsWith("hub", StringComparison.Ordinal) ? "role=hub" : "role=spoke");
        }

        WestSeenFromEast = await SeenByAsync("west", "mesh", West);
        EastSeenFromWest = await SeenByAsync("east", "alias", East);
        await Mesh.MfctlAsync(CancellationToken.None, "status", "--wait", "--timeout", "90");
        await Lab.ShellAsync("inet", "nft 'table inet clear { counter pods { }; chain passing { type filter hook prerouting priority -300; ip saddr { 10.10.0.0/16, 100.64.0.0/10 } counter name pods; }; }'", CancellationToken.None);
    }

    async Task<IPAddress> SeenByAsync(string cluster, string role, LabHost pod)
    {
        using var document = JsonDocument.Parse(await Mesh.MfctlAsync(CancellationToken.None, "cluster", "get", cluster, "-o", "json"));
        var prefix = document.RootElement.GetProperty("status").GetProperty("prefixes")[0];
        return MeshFabric.Net.Cidr.Parse(prefix.GetProperty("local").GetString()!).Translate(pod.Address!, MeshFabric.Net.Cidr.Parse(prefix.GetProperty(role).GetString()!));
    }

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
        {
            await _servers.DisposeAsync();
        }

        if (Mesh is not null)
        {
            KeptLogs.Of(Lab, JoinedMesh.Root(), "e2e");
            await Mesh.DisposeAsync();
        }
    }
}

/// <summary>Topologies that are declared while the mesh carries, and what breaks behind a hub.</summary>
[Collection(WholeMachine.Name)]
public sealed class TopologyTests(TwoPlaces places) : IClassFixture<TwoPlaces>
{
    const string HubAndSpoke = "type: hub-and-spoke\n  hubs: role=hub";
    const string Regions = "type: regions\n  hubs: role=hub\n  regionLabel: place";

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Spokes_reach_each_other_by_hubs_as_themselves_and_without_a_tunnel_of_their_own()
    {
        await ApplyAsync("type: full-mesh");
        Assert.Contains("east.gw1--west.gw1", await MfctlAsync("tunnel", "list", "-o", "name"), StringComparison.Ordinal);
        var planned = await places.Mesh.TryMfctlAsync(Cancellation, "diff", "-f", await FileAsync(HubAndSpoke));
        Assert.Equal(1, planned.ExitCode);
        Assert.Contains("east.gw1--west.gw1", planned.Output, StringComparison.Ordinal);
        Assert.Contains("direct -> by easthub, westhub", planned.Output, StringComparison.Ordinal);
        Assert.Contains("east.gw1--west.gw1", await MfctlAsync("tunnel", "list", "-o", "name"), StringComparison.Ordinal);

        await ApplyAsync(HubAndSpoke);
        Assert.Equal(0, (await places.Mesh.TryMfctlAsync(Cancellation, "diff", "-f", await FileAsync(HubAndSpoke))).ExitCode);
        Assert.DoesNotContain("east.gw1--west.gw1", await MfctlAsync("tunnel", "list", "-o", "name"), StringComparison.Ordinal);
        await ReachEachOtherAsync();
        // Four gateways of two hubs, each a plane of its own.
        await Until.TrueAsync(async () => (await CarriersAsync("east-gw1", places.WestSeenFromEast)).Count == 4, Limit, "all four gateways of the hubs to carry", Cancellation);
        var ping = await MfctlAsync("ping", "east", "west");
        Assert.Contains("gw1 by easthub/gw2", ping, StringComparison.Ordinal);
        Assert.Contains("gw1 by westhub/gw1", ping, StringComparison.Ordinal);
        Assert.Contains("0 failed", (await places.Mesh.TryMfctlAsync(Cancellation, "verify", "east", "west")) is var verified ? verified.Output + verified.Error : "", StringComparison.Ordinal);
        await BulkTransfer.BothWaysAsync(places.East, places.West, places.WestSeenFromEast, 4 << 20, Limit, Cancellation);
        // Both spokes are peers of one device of a hub: it must not tell them to talk to each other.
        Assert.DoesNotContain("Redirect", await places.Lab.ShellAsync("east-w1-p1", $"ping -c 5 -i 0.2 -W 2 {places.WestSeenFromEast}", Cancellation), StringComparison.Ordinal);
        Assert.Contains("{{\"easthub\"}}", await MfctlAsync("topology", "graph"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_lost_for_long_when_a_gateway_of_a_hub_is_cut_off()
    {
        await ApplyAsync(HubAndSpoke);
        await ReachEachOtherAsync();
        var hub = places.Lab.Topology["easthub-gw1"].Address;
        await WhileAsync("inet", $"nft 'table inet dead {{ chain cut {{ type filter hook forward priority -200; ip saddr {hub} drop; ip daddr {hub} drop; }}; }}'", "nft delete table inet dead");
    }

    [Fact]
    public async Task Nothing_is_lost_for_long_when_a_hub_loses_what_is_behind_it()
    {
        await ApplyAsync(HubAndSpoke);
        await ReachEachOtherAsync();
        // The hub itself goes on answering to east.
        var (hub, west) = (places.Lab.Topology["easthub-gw2"].Address, places.Lab.Topology["west-gw1"].Address);
        await WhileAsync("inet", $"nft 'table inet behind {{ chain cut {{ type filter hook forward priority -200; ip saddr {hub} ip daddr {west} drop; ip saddr {west} ip daddr {hub} drop; }}; }}'", "nft delete table inet behind");
    }

    /// <summary>A spoke has one gateway only, which is not drained, and four ways to the hubs; a hub's gateway that is drained is one of four.</summary>
    [Theory]
    [InlineData("easthub")]
    [InlineData("east")]
    public async Task Nothing_is_lost_while_device_keys_change_where_there_are_several_planes(string cluster)
    {
        await ApplyAsync(HubAndSpoke);
        await ReachEachOtherAsync();
        await Until.TrueAsync(async () => (await CarriersAsync("east-gw1", places.WestSeenFromEast)).Count == 4, Limit, "all four gateways of the hubs to carry", Cancellation);
        await using var flows = PingFlows.Start(places.East, places.WestSeenFromEast, count: 8);
        await flows.GoOnAsync(Limit, "before", Cancellation);
        Assert.Contains("settled", await MfctlAsync("tunnel", "rotate-key", cluster), StringComparison.Ordinal);
        Assert.All(await flows.StopAsync(), r => Assert.True(r.Lost == 0, r.Told));
    }

    [Fact]
    public async Task Flows_that_come_back_by_another_hub_pass_hosts_that_drop_what_they_find_invalid()
    {
        await ApplyAsync(HubAndSpoke);
        await ReachEachOtherAsync();
        string[] hubs = ["easthub-gw1", "easthub-gw2", "westhub-gw1", "westhub-gw2"];
        foreach (var hub in hubs)
        {
            await places.Lab.ShellAsync(hub, "nft 'table inet careful { chain forward { type filter hook forward priority 0; ct state invalid drop; }; }'", Cancellation);
        }

        try
        {
            foreach (var (from, to, wanted) in new[] { (places.East, places.WestSeenFromEast, places.EastSeenFromWest), (places.West, places.EastSeenFromWest, places.WestSeenFromEast) })
            {
                var seen = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => PodClient.SeenAsAsync(from, to, TimeSpan.FromSeconds(10), Cancellation)));
                Assert.All(seen, s => Assert.Equal(wanted, s));
            }
        }
        finally
        {
            foreach (var hub in hubs)
            {
                await places.Lab.ShellAsync(hub, "nft delete table inet careful", Cancellation);
            }
        }
    }

    [Fact]
    public async Task No_transfer_stalls_where_the_way_behind_a_hub_is_narrower()
    {
        await ApplyAsync(HubAndSpoke);
        await ReachEachOtherAsync();
        var west = places.Lab.Topology.Cluster("west");
        var route = $"{west.WanOf(1)} dev c{west.Index}g1 proto kernel scope link src {LabTopology.At(west.WanOf(1), 1)}";
        // And the internet keeps to itself what it throws away.
        await places.Lab.ShellAsync("inet", $"nft 'table ip silent {{ chain output {{ type filter hook output priority 0; icmp type destination-unreachable drop; }}; }}'; ip route replace {route} mtu lock 1320", Cancellation);
        try
        {
            for (var i = 0; i < 4; i++)
            {
                await BulkTransfer.BothWaysAsync(places.East, places.West, places.WestSeenFromEast, 1 << 20, TimeSpan.FromSeconds(30), Cancellation);
            }
        }
        finally
        {
            await places.Lab.ShellAsync("inet", $"nft delete table ip silent; ip route replace {route}", Cancellation);
        }
    }

    [Fact]
    public async Task Regions_reach_each_other_by_the_hubs_of_both_also_when_one_of_them_loses_the_other()
    {
        await ApplyAsync(Regions);
        var tunnels = await MfctlAsync("tunnel", "list", "-o", "name");
        Assert.DoesNotContain("east.gw1--westhub", tunnels, StringComparison.Ordinal);
        Assert.Contains("easthub.gw1--westhub.gw2", tunnels, StringComparison.Ordinal);
        await ReachEachOtherAsync();
        await Until.TrueAsync(async () => (await CarriersAsync("east-gw1", places.WestSeenFromEast)).Count == 2, Limit, "both gateways of the own hub to carry", Cancellation);
        await BulkTransfer.BothWaysAsync(places.East, places.West, places.WestSeenFromEast, 4 << 20, Limit, Cancellation);

        var (near, far) = (places.Lab.Topology["easthub-gw1"].Address, new[] { "westhub-gw1", "westhub-gw2" }.Select(h => places.Lab.Topology[h].Address));
        var set = string.Join(", ", far);
        await WhileAsync("inet", $"nft 'table inet behind {{ chain cut {{ type filter hook forward priority -200; ip saddr {near} ip daddr {{ {set} }} drop; ip daddr {near} ip saddr {{ {set} }} drop; }}; }}'", "nft delete table inet behind");
    }

    [Fact]
    public async Task Who_is_not_to_reach_a_cluster_is_refused_at_once_and_nothing_leaves_in_clear()
    {
        await ApplyAsync(HubAndSpoke);
        await ReachEachOtherAsync();
        await ApplyAsync(HubAndSpoke + "\n  transit: false");
        await RefusedAsync();
        await Until.TrueAsync(async () => await PodClient.SeenAsAsync(places.East, places.Lab.Topology["westhub-w1-p1"].Address!, TimeSpan.FromSeconds(2), Cancellation) is not null, Limit, "the hub to be reached", Cancellation);

        await ApplyAsync("type: pairs\n  pairs:\n  - between: meshfabric.io/name=east\n    and: meshfabric.io/name=easthub");
        Assert.Equal("tunnel/east.gw1--easthub.gw1\ntunnel/east.gw1--easthub.gw2", (await MfctlAsync("tunnel", "list", "-o", "name")).Trim());
        await RefusedAsync();

        await ApplyAsync("type: full-mesh");
        await ReachEachOtherAsync();
        Assert.Equal(0, await ClearAsync());
    }

    [Fact]
    public async Task The_topology_changes_while_connections_last()
    {
        await ApplyAsync("type: full-mesh");
        await ReachEachOtherAsync();
        await using var connection = await LastingConnection.OpenAsync(places.East, places.West, places.WestSeenFromEast, Cancellation);
        await using var stream = PingStream.Start(places.East, places.WestSeenFromEast);
        foreach (var topology in new[] { HubAndSpoke, Regions, HubAndSpoke, "type: full-mesh" })
        {
            await ApplyAsync(topology);
            await ReachEachOtherAsync();
            Assert.Null(await connection.BrokenAsync(TimeSpan.FromSeconds(20), Cancellation));
        }

        var report = await stream.StopAsync();
        TestContext.Current.SendDiagnosticMessage($"four topologies: {report.Told}");
        Assert.True(report.LongestGap < TimeSpan.FromSeconds(10), report.Told);
        Assert.Equal(0, await ClearAsync());
    }

    // Sixteen flows, so that some of them go by whatever is harmed.
    async Task WhileAsync(string host, string harm, string undo)
    {
        await using var flows = PingFlows.Start(places.East, places.WestSeenFromEast, count: 16, rate: 50);
        await flows.GoOnAsync(Limit, "before", Cancellation, answers: 50);
        var before = flows.Unanswered;
        await places.Lab.ShellAsync(host, harm, Cancellation);
        try
        {
            await flows.GoOnAsync(Limit, "in spite of it", Cancellation, answers: 200);
        }
        finally
        {
            await places.Lab.ShellAsync(host, undo, Cancellation);
        }

        var reports = await flows.StopAsync();
        TestContext.Current.SendDiagnosticMessage($"{harm}: longest gap {reports.Max(r => r.LongestGap).TotalSeconds:0.000} s, {reports.Sum(r => r.Lost)} of {reports.Sum(r => r.Sent)} lost");
        Assert.All(reports, r => Assert.True(r.LongestGap < TimeSpan.FromSeconds(5), r.Told));
        // The harm was on somebody's way: otherwise nothing was shown.
        Assert.True(reports.Sum(r => r.Lost) > before, "no flow went by what was harmed");
        Assert.Equal(0, await ClearAsync());
    }

    async Task ReachEachOtherAsync()
    {
        await Until.TrueAsync(async () => places.EastSeenFromWest.Equals(await PodClient.SeenAsAsync(places.East, places.WestSeenFromEast, TimeSpan.FromSeconds(2), Cancellation)), Limit, "east to reach west as itself", Cancellation);
        await Until.TrueAsync(async () => places.WestSeenFromEast.Equals(await PodClient.SeenAsAsync(places.West, places.EastSeenFromWest, TimeSpan.FromSeconds(2), Cancellation)), Limit, "west to reach east as itself", Cancellation);
    }

    async Task RefusedAsync()
    {
        await Until.TrueAsync(async () => (await places.Lab.ExecAsync("east-w1-p1", ["ping", "-c", "1", "-W", "2", $"{places.WestSeenFromEast}"], Cancellation)) is { ExitCode: not 0 } refused
            && refused.Output.Contains("Unreachable", StringComparison.OrdinalIgnoreCase), Limit, "east to be told that west is unreachable", Cancellation);
        Assert.Null(await PodClient.SeenAsAsync(places.West, places.EastSeenFromWest, TimeSpan.FromSeconds(1), Cancellation));
    }

    async Task<long> ClearAsync()
    {
        using var document = JsonDocument.Parse(await places.Lab.ShellAsync("inet", "nft -j list counter inet clear pods", Cancellation));
        return document.RootElement.GetProperty("nftables").EnumerateArray().Where(e => e.TryGetProperty("counter", out _)).Select(e => e.GetProperty("counter").GetProperty("packets").GetInt64()).Single();
    }

    async Task<IReadOnlyList<string>> CarriersAsync(string gateway, IPAddress to)
    {
        using var routes = JsonDocument.Parse(await places.Lab.ShellAsync(gateway, $"ip -j route show table 7710 match {to}", Cancellation));
        return [.. routes.RootElement.EnumerateArray().SelectMany(r => r.TryGetProperty("nexthops", out var hops) ? hops.EnumerateArray().Select(h => h.GetProperty("dev").GetString()!) : r.TryGetProperty("dev", out var dev) ? [dev.GetString()!] : [])];
    }

    async Task<string> FileAsync(string spec)
    {
        var file = Path.Combine(places.Lab.Directory, "topology.yaml");
        await File.WriteAllTextAsync(file, $"apiVersion: meshfabric.io/v1\nkind: Topology\nmetadata: {{ name: mesh }}\nspec:\n  {spec}\n", Cancellation);
        return file;
    }

    async Task ApplyAsync(string spec)
    {
        await MfctlAsync("apply", "-f", await FileAsync(spec));
        await MfctlAsync("status", "--wait", "--timeout", "90");
    }

    Task<string> MfctlAsync(params string[] words) => places.Mesh.MfctlAsync(Cancellation, words);
}
