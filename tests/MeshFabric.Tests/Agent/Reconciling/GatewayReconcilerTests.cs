using System.Net;
using CsCheck;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Tests.Domain.Planning;
using Microsoft.Extensions.Time.Testing;

namespace MeshFabric.Tests.Agent.Reconciling;

public sealed class GatewayReconcilerTests
{
    static readonly PrivateKey Key = PrivateKey.Generate();
    readonly FakeTimeProvider _time = new();
    readonly MemoryHost _host = new();

    [Fact]
    public async Task A_fresh_host_becomes_what_the_plan_says_in_one_turn_and_a_second_turn_changes_nothing()
    {
        var config = Meshes.Plan(Meshes.Of(("aurora", 2, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]), ("cirrus", 2, ["10.20.0.0/16"])), "aurora");
        var reconciler = New();
        await TurnAsync(reconciler, config);
        Check(_host, config);
        var before = (_host.Changes, _host.WireGuard.Changes);
        await TurnAsync(reconciler, config);
        Assert.Equal(before, (_host.Changes, _host.WireGuard.Changes));
    }

    [Fact]
    public async Task A_peer_that_nobody_can_dial_is_added_once_a_way_is_known_and_moved_when_another_one_is_better()
    {
        var facts = Meshes.Hidden(Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"]), ("hub", 1, ["10.30.0.0/16"])), "aurora", "borealis");
        // The side that sends by the way that it finds.
        var config = new[] { "aurora", "borealis" }.Select(c => Meshes.Plan(facts, c)).Single(c => c.Devices.Single().Peers.Single(p => p.Candidates.Count > 0).Initiates);
        var reconciler = New();
        await TurnAsync(reconciler, config);
        Assert.Equal(["hub"], await PeersAsync());

        reconciler.Way = p => p.Cluster == "hub" ? null : IPEndPoint.Parse("203.0.113.7:1000");
        await TurnAsync(reconciler, config);
        Assert.Equal(2, (await PeersAsync()).Count);

        reconciler.Way = p => p.Cluster == "hub" ? null : IPEndPoint.Parse("203.0.113.8:2000");
        await TurnAsync(reconciler, config);
        var device = await _host.WireGuard.Open().ReadAsync("mf0", TestContext.Current.CancellationToken);
        Assert.Contains(device.Peers, p => p.Endpoint?.ToString() == "203.0.113.8:2000");

        async Task<IReadOnlyList<string>> PeersAsync() =>
            (await _host.WireGuard.Open().ReadAsync("mf0", TestContext.Current.CancellationToken)).Peers.Select(p => config.Devices.Single().Peers.Single(c => c.PublicKey == p.PublicKey).Cluster).ToList();
    }

    [Fact]
    public async Task A_gateway_with_another_number_begins_anew_with_all_by_the_ports_that_answer_it_then()
    {
        var facts = Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"]));
        // Whoever starts handshakes.
        var own = new[] { "aurora", "borealis" }.Single(c => Meshes.Plan(facts, c).Devices.Single().Peers.Single().Initiates);
        var reconciler = New();
        await TurnAsync(reconciler, Meshes.Plan(facts, own));
        var moved = facts with { Clusters = facts.Clusters.Select(c => c.Name == own ? c with { Gateways = c.Gateways.Select(g => g with { Ordinal = 2 }).ToValueList() } : c).ToValueList() };
        var config = Meshes.Plan(moved, own);
        await TurnAsync(reconciler, config);
        var peer = (await _host.WireGuard.Open().ReadAsync("mf0", TestContext.Current.CancellationToken)).Peers.Single();
        Assert.Equal(config.Devices.Single().Peers.Single().Endpoints.Single().Port, peer.Endpoint?.Port);
        Assert.Equal(51822, peer.Endpoint?.Port);
        var before = _host.WireGuard.Changes;
        await TurnAsync(reconciler, config);
        Assert.Equal(before, _host.WireGuard.Changes);
    }

    [Fact]
    public async Task A_relay_lets_in_those_that_its_own_tunnels_know()
    {
        var facts = Meshes.Hidden(Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"]), ("hub", 1, ["10.30.0.0/16"])), "aurora", "borealis");
        var config = Meshes.Plan(facts, "hub");
        var pair = Assert.Single(config.Relays);
        var reconciler = New();
        await TurnAsync(reconciler, config);
        Assert.Empty(_host.Relays);

        foreach (var (side, address) in new[] { (pair.First, "203.0.113.7:1000"), (pair.Second, "203.0.113.8:2000") })
        {
            _host.WireGuard.Heard("mf0", side.PublicKey, IPEndPoint.Parse(address), _time.GetUtcNow());
        }

        await TurnAsync(reconciler, config);
        var own = IPAddress.Parse("198.51.100.1");
        Assert.Equal([new(pair.First.Port, pair.Second.Port, IPAddress.Parse("203.0.113.7"), own), new(pair.Second.Port, pair.First.Port, IPAddress.Parse("203.0.113.8"), own)], _host.Relays);
    }

    /// <summary>The outcome depends on the plan and never on history: whatever was applied before, by whichever process, and whatever was harmed.</summary>
    [Fact]
    public void Whatever_came_before_and_whatever_was_harmed_one_turn_makes_it_so() =>
        Gen.Select(Meshes.Any.Array[1, 4], Gen.Int[0, int.MaxValue]).Sample((meshes, seed) => WalkAsync(meshes, new Random(seed)).GetAwaiter().GetResult(), iter: 300);

    async Task WalkAsync(MeshFabric.Domain.MeshFacts[] meshes, Random random)
    {
        var host = new MemoryHost();
        host.WireGuard.AddForeignLink("mf9");
        host.WireGuard.AddForeignLink("wg0");
        var reconciler = New(host);
        foreach (var facts in meshes)
        {
            var self = facts.Clusters[random.Next(facts.Clusters.Count)];
            var config = MeshPlanner.Plan(facts, self.Id, self.Gateways[0].Id);
            await TurnAsync(reconciler, config);
            await HarmAsync(host, random);
            if (random.Next(3) == 0)
            {
                reconciler = New(host);
            }

            await TurnAsync(reconciler, config);
            Check(host, config);
        }

        await reconciler.RemoveAsync(TestContext.Current.CancellationToken);
        Assert.Empty(await host.WireGuard.Open().ListAsync(TestContext.Current.CancellationToken));
        Assert.Empty(host.Routes);
        Assert.Null(host.Firewall);
        Assert.Null(host.Forwards);
        Assert.True(host.WireGuard.HasLink("mf9") && host.WireGuard.HasLink("wg0"));
    }

    static async Task HarmAsync(MemoryHost host, Random random)
    {
        var backend = host.WireGuard.Open();
        var devices = await backend.ListAsync(CancellationToken.None);
        switch (random.Next(6))
        {
            case 0:
                host.Firewall = null;
                break;
            case 1:
                host.Routes = host.Routes.Skip(1).ToValueList();
                break;
            case 2:
                host.Links.Clear();
                break;
            case 3 when devices.Count > 0:
                await backend.DeleteAsync(devices[0], CancellationToken.None);
                host.Links.Remove(devices[0]);
                break;
            case 4:
                await backend.EnsureAsync("mf7", CancellationToken.None);
                break;
            case 5 when devices.Count > 0:
                await backend.ConfigureAsync(devices[0], new MeshFabric.WireGuard.DeviceConfig(Key, 1, 0, []), CancellationToken.None);
                break;
        }
    }

    [Theory]
    [InlineData("links")]
    [InlineData("routes")]
    [InlineData("firewall")]
    public async Task A_part_that_fails_spares_the_others_is_told_and_is_made_good_by_the_next_turn(string port)
    {
        var config = Meshes.Plan(Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"])), "aurora");
        var reconciler = New();
        _host.Broken = port;
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => TurnAsync(reconciler, config));
        Assert.Contains(port, e.Message, StringComparison.Ordinal);
        Assert.Equal(port != "routes", _host.Routes.Count > 0);
        await TurnAsync(reconciler, config);
        Check(_host, config);
    }

    [Fact]
    public async Task A_flushed_table_is_seen_when_tables_are_looked_at_and_only_then()
    {
        var config = Meshes.Plan(Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"])), "aurora");
        var reconciler = New();
        await TurnAsync(reconciler, config);
        _host.Firewall = null;
        await reconciler.ReconcileAsync(config, _ => true, checkFirewall: false, TestContext.Current.CancellationToken);
        Assert.Null(_host.Firewall);
        await reconciler.ReconcileAsync(config, _ => true, checkFirewall: true, TestContext.Current.CancellationToken);
        Assert.NotNull(_host.Firewall);
    }

    [Fact]
    public async Task A_machine_with_nothing_behind_it_does_not_forward()
    {
        var facts = Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("laptop", 1, []));
        await TurnAsync(New(), Meshes.Plan(facts, "laptop"));
        Assert.False(_host.Forwards);
        await TurnAsync(New(), Meshes.Plan(facts, "aurora"));
        Assert.True(_host.Forwards);
    }

    [Fact]
    public async Task A_first_handshake_that_the_far_side_missed_is_started_again_after_a_second_by_the_side_that_initiates()
    {
        var facts = Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"]));
        var config = new[] { "aurora", "borealis" }.Select(c => Meshes.Plan(facts, c)).Single(c => c.Devices[0].Peers[0].Initiates);
        var reconciler = New();
        await TurnAsync(reconciler, config);
        await TurnAsync(reconciler, config);
        var changes = _host.WireGuard.Changes;
        await TurnAsync(reconciler, config);
        Assert.Equal(changes, _host.WireGuard.Changes);
        _time.Advance(TimeSpan.FromSeconds(1.1));
        await TurnAsync(reconciler, config);
        Assert.True(_host.WireGuard.Changes > changes);
        Check(_host, config);
    }

    Task TurnAsync(GatewayReconciler reconciler, GatewayConfig config) => reconciler.ReconcileAsync(config, _ => true, checkFirewall: true, TestContext.Current.CancellationToken);

    GatewayReconciler New(MemoryHost? host = null) => New(host ?? _host, _time);

    static GatewayReconciler New(MemoryHost host, TimeProvider time) => new(host.WireGuard.Open(), host, host, host, host, host, Key, time);

    static void Check(MemoryHost host, GatewayConfig config)
    {
        var backend = host.WireGuard.Open();
        Assert.Equal(config.Devices.Select(d => d.Name).Order(StringComparer.Ordinal), backend.ListAsync(CancellationToken.None).Result);
        foreach (var device in config.Devices)
        {
            var state = backend.ReadAsync(device.Name, CancellationToken.None).Result;
            Assert.Equal(Key.ToPublicKey(), state.PublicKey);
            Assert.Equal(device.ListenPort, state.ListenPort);
            Assert.Equal(device.Peers.Select(p => (p.PublicKey, p.AllowedIps.Order().ToValueList())).OrderBy(p => p.PublicKey), state.Peers.Select(p => (p.PublicKey, p.AllowedIps.Order().ToValueList())).OrderBy(p => p.PublicKey));
            Assert.Equal((1420, device.Addresses), host.Links[device.Name]);
        }

        Assert.Equal(RouteSelection.Select(config, _ => true, mtu: _ => 1420), host.Routes);
        Assert.Equal(config.Firewall, host.Firewall);
    }
}
