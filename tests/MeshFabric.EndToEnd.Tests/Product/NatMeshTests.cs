using System.Diagnostics;
using System.Net;
using System.Text.Json;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>Sites behind NAT boxes of every kind, and two hubs that can be dialled.</summary>
public sealed class NatMesh : IAsyncLifetime
{
    static readonly LabSpec Spec = new(
        "nat",
        [
            Site("hub1", 1, null),
            Site("hub2", 2, null),
            Site("full", 3, new NatSpec(NatKind.FullCone)),
            Site("restricted", 4, new NatSpec(NatKind.Restricted)),
            Site("port1", 5, new NatSpec()),
            Site("port2", 6, new NatSpec()),
            Site("double", 7, new NatSpec { IsDouble = true }),
            Site("symmetric1", 8, new NatSpec(NatKind.Symmetric)),
            Site("symmetric2", 9, new NatSpec(NatKind.Symmetric)),
        ]);

    PodServers? _servers;

    public MeshLab Mesh { get; private set; } = null!;

    public MeshFabric.Lab.Lab Lab => Mesh.Lab;

    static ClusterSpec Site(string name, int number, NatSpec? nat) => new(name, $"10.{100 + number}.0.0/16") { Gateways = 1, PodsPerWorker = 1, Nat = nat };

    public async ValueTask InitializeAsync()
    {
        Mesh = await MeshLab.CreateAsync(Spec, JoinedMesh.Programs, _ => { }, CancellationToken.None);
        _servers = PodServers.Start(Lab.Topology);
        foreach (var cluster in Spec.Clusters)
        {
            await Mesh.JoinAsync(cluster.Name, CancellationToken.None);
        }

        await Mesh.MfctlAsync(CancellationToken.None, "status", "--wait", "--timeout", "90");
    }

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
        {
            await _servers.DisposeAsync();
        }

        if (Mesh is not null)
        {
            KeptLogs.Of(Lab, JoinedMesh.Root(), "nat");
            await Mesh.DisposeAsync();
        }
    }

    /// <summary>How two clusters reach each other now: <c>direct</c>, or the relay; null while they do not.</summary>
    public async Task<string?> PathAsync(string one, string other, CancellationToken cancellationToken)
    {
        var name = string.Join("--", new[] { $"{one}.gw1", $"{other}.gw1" }.Order(StringComparer.Ordinal));
        using var tunnel = JsonDocument.Parse(await Mesh.MfctlAsync(cancellationToken, "tunnel", "get", name, "-o", "json"));
        var status = tunnel.RootElement.GetProperty("status");
        return status.GetProperty("state").GetString() != "connected" ? null
            : status.TryGetProperty("relay", out var relay) && relay.GetString() is { } by ? by : status.GetProperty("path").GetString();
    }

    /// <summary>The pod of a cluster.</summary>
    public MeshFabric.Lab.Topology.LabHost Pod(string cluster) => Lab.Topology[$"{cluster}-w1-p1"];
}

/// <summary>Sites that can only dial out reach each other: directly where their NAT boxes allow it, else by a relay that cannot read what it hands on.</summary>
[Collection(WholeMachine.Name)]
public sealed class NatMeshTests(NatMesh mesh) : IClassFixture<NatMesh>
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("full", "restricted")]
    [InlineData("full", "port1")]
    [InlineData("full", "double")]
    [InlineData("full", "symmetric1")]
    [InlineData("restricted", "port1")]
    [InlineData("restricted", "double")]
    [InlineData("restricted", "symmetric1")]
    [InlineData("port1", "port2")]
    [InlineData("port1", "double")]
    [InlineData("hub1", "symmetric1")]
    [InlineData("hub2", "double")]
    public async Task Directly_where_the_nat_boxes_allow_it(string one, string other)
    {
        await PathIsAsync(one, other, path => path == "direct", "a direct path");
        await SeesAsync(one, other);
    }

    [Theory]
    [InlineData("port1", "symmetric1")]
    [InlineData("double", "symmetric2")]
    [InlineData("symmetric1", "symmetric2")]
    public async Task By_a_relay_where_they_do_not_and_it_cannot_read_what_it_hands_on(string one, string other)
    {
        await PathIsAsync(one, other, path => path is "hub1/gw1" or "hub2/gw1", "a relay");
        await SeesAsync(one, other);
        var relay = (await mesh.PathAsync(one, other, Cancellation))![..4];
        // What it hands on goes from port to port; nothing of it comes out of its own tunnels.
        var before = await RelayedBytesAsync(relay);
        await BulkTransfer.BothWaysAsync(mesh.Pod(one), mesh.Pod(other), mesh.Pod(other).Address!, 1 << 20, Limit, Cancellation);
        Assert.InRange(await RelayedBytesAsync(relay) - before, 2 << 20, long.MaxValue);
    }

    [Fact]
    public async Task A_relayed_pair_goes_direct_as_soon_as_that_is_possible_without_losing_a_packet_and_back_to_the_relay_when_it_must()
    {
        await PathIsAsync("double", "port2", path => path == "direct", "a direct path");
        await using var back = PingStream.Start(mesh.Pod("double"), mesh.Pod("port2").Address!);
        await Until.TrueAsync(() => back.Answered > 50, Limit, "answers", Cancellation);
        await mesh.Lab.ShellAsync("inet", $"nft add table ip block; nft add chain ip block forward '{{ type filter hook forward priority 0; }}'; nft add rule ip block forward ip saddr {Public("double")} ip daddr {Public("port2")} drop", Cancellation);
        await PathIsAsync("double", "port2", path => path is "hub1/gw1" or "hub2/gw1", "a relay");
        var lost = await back.StopAsync();
        Assert.True(lost.LongestGap < TimeSpan.FromSeconds(5), $"{lost.LongestGap.TotalSeconds:0.0} s without an answer");

        await using var stream = PingStream.Start(mesh.Pod("double"), mesh.Pod("port2").Address!, rate: 1000);
        await Until.TrueAsync(() => stream.Answered > 500, Limit, "answers by the relay", Cancellation);
        await mesh.Lab.ShellAsync("inet", "nft delete table ip block", Cancellation);
        await PathIsAsync("double", "port2", path => path == "direct", "a direct path");
        var report = await stream.StopAsync();
        Assert.True(report.Lost == 0, $"from the relay to the direct path: {report.Told}");
    }

    [Fact]
    public async Task When_the_relay_is_cut_off_the_other_one_takes_over_and_nobody_is_asked()
    {
        await PathIsAsync("symmetric1", "symmetric2", path => path is "hub1/gw1" or "hub2/gw1", "a relay");
        var relay = (await mesh.PathAsync("symmetric1", "symmetric2", Cancellation))![..4];
        await using var stream = PingStream.Start(mesh.Pod("symmetric1"), mesh.Pod("symmetric2").Address!);
        await Until.TrueAsync(() => stream.Answered > 50, Limit, "answers by the relay", Cancellation);
        await mesh.Lab.ShellAsync($"{relay}-gw1", "ip link set wan down", Cancellation);
        try
        {
            var answered = stream.Answered;
            await Until.TrueAsync(() => stream.Answered > answered + 200, Limit, "answers by the other relay", Cancellation);
        }
        finally
        {
            await mesh.Lab.ShellAsync($"{relay}-gw1", $"ip link set wan up; ip route add default via {Router(relay)}", Cancellation);
        }

        var report = await stream.StopAsync();
        Assert.True(report.LongestGap < TimeSpan.FromSeconds(5), $"{report.LongestGap.TotalSeconds:0.0} s without an answer, {report.Lost} lost");
    }

    [Fact]
    public async Task When_a_nat_box_gets_another_public_address_its_site_is_found_there_within_ten_seconds()
    {
        await PathIsAsync("port1", "port2", path => path == "direct", "a direct path");
        await using var stream = PingStream.Start(mesh.Pod("port1"), mesh.Pod("port2").Address!);
        await Until.TrueAsync(() => stream.Answered > 50, Limit, "answers before", Cancellation);
        var (before, after) = (Public("port1"), IPAddress.Parse("198.51.100.201"));
        var port = $"n{mesh.Lab.Topology.Cluster("port1").Index}";
        await mesh.Lab.ShellAsync("inet", $"ip route add {after} via {before} dev {port}", Cancellation);
        await mesh.Lab.ShellAsync("port1-nat", $"ip addr add {after}/32 dev wan; nft flush chain ip nat post; nft add rule ip nat post oifname wan snat to {after}", Cancellation);
        var moved = Stopwatch.StartNew();
        // As a box does that was restarted: what it knew is gone.
        await mesh.Lab.ShellAsync("port1-nat", "conntrack -F", Cancellation);
        var answered = stream.Answered;
        await Until.TrueAsync(() => stream.Answered > answered + 100, Limit, "answers after", Cancellation);
        Assert.True(moved.Elapsed < TimeSpan.FromSeconds(10), $"{moved.Elapsed.TotalSeconds:0.0} s");
        await PathIsAsync("port1", "port2", path => path == "direct", "a direct path again");
    }

    [Fact]
    public async Task A_relay_hands_nothing_on_for_strangers()
    {
        await PathIsAsync("symmetric1", "symmetric2", path => path is "hub1/gw1" or "hub2/gw1", "a relay");
        var relay = (await mesh.PathAsync("symmetric1", "symmetric2", Cancellation))![..4];
        var ports = await mesh.Lab.ShellAsync($"{relay}-gw1", "nft list map inet meshfabric-relay twins | grep -o '[0-9]* :' | tr -d ' :' | sort -u", Cancellation);
        await mesh.Lab.ShellAsync($"{relay}-gw1", "nft reset counter inet meshfabric-relay relayed >/dev/null; nft add table inet seen; nft add chain inet seen in '{ type filter hook input priority 0; }'; nft add rule inet seen in ip saddr " + mesh.Lab.Topology["control"].Address + " meta l4proto udp counter", Cancellation);
        foreach (var port in ports.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            await mesh.Lab.ShellAsync("control", $"echo stranger | socat -u - UDP4-SENDTO:{mesh.Lab.Topology[$"{relay}-gw1"].Address}:{port}", Cancellation);
        }

        // They ended here, all of them, in the host itself.
        var seen = await mesh.Lab.ShellAsync($"{relay}-gw1", "nft list table inet seen; nft delete table inet seen", Cancellation);
        Assert.Contains($"packets {ports.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length} ", seen, StringComparison.Ordinal);
    }

    static string Router(string cluster) => cluster == "hub1" ? "198.51.100.1" : "198.51.100.5";

    IPAddress Public(string cluster) => mesh.Lab.Topology[$"{cluster}-nat"].Address!;

    async Task<long> RelayedBytesAsync(string relay) =>
        long.Parse(await mesh.Lab.ShellAsync($"{relay}-gw1", "nft list counter inet meshfabric-relay relayed | grep -o 'bytes [0-9]*' | cut -d' ' -f2", Cancellation), System.Globalization.CultureInfo.InvariantCulture);

    Task PathIsAsync(string one, string other, Func<string?, bool> isSo, string what) =>
        Until.TrueAsync(async () => isSo(await mesh.PathAsync(one, other, Cancellation)), Limit, $"{what} between {one} and {other}", Cancellation);

    async Task SeesAsync(string one, string other)
    {
        foreach (var (from, to) in new[] { (one, other), (other, one) })
        {
            Assert.Equal(mesh.Pod(from).Address, await PodClient.SeenAsAsync(mesh.Pod(from), mesh.Pod(to).Address!, TimeSpan.FromSeconds(10), Cancellation));
        }
    }
}
