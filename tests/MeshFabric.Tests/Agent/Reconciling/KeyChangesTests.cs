using System.Net;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Domain;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Tests.Domain.Planning;
using MeshFabric.WireGuard;
using Microsoft.Extensions.Time.Testing;

namespace MeshFabric.Tests.Agent.Reconciling;

/// <summary>The key of a far gateway, and the own one, become others while tunnels stand.</summary>
public sealed class KeyChangesTests
{
    static readonly PrivateKey Own = PrivateKey.Generate(), OwnNext = PrivateKey.Generate();
    static readonly PublicKey Next = PrivateKey.Generate().ToPublicKey();
    static readonly MeshFacts Before = Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"]), ("cirrus", 1, ["10.30.0.0/16"]));

    readonly FakeTimeProvider _time = new();
    readonly MemoryHost _host = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_next_key_of_a_far_gateway_waits_beside_without_addresses_and_takes_them_over_when_it_is_shown()
    {
        var reconciler = New();
        await TurnAsync(reconciler, Meshes.Plan(Before, "aurora"));
        var former = Key(Before, "borealis");
        var addresses = (await PeersAsync())[former].AllowedIps;

        var staged = Meshes.Plan(With(Before, "borealis", g => g with { NextKey = Next }), "aurora");
        await TurnAsync(reconciler, staged);
        var peers = await PeersAsync();
        Assert.Equal((addresses, []), (peers[former].AllowedIps, peers[Next].AllowedIps));
        Assert.False(await reconciler.TakeKeysAsync(staged, Cancel));

        var due = Meshes.Plan(With(Before, "borealis", g => g with { NextKey = Next, ChangesKey = true }), "aurora");
        await TurnAsync(reconciler, due);
        Assert.False(await reconciler.TakeKeysAsync(due, Cancel));
        _host.WireGuard.Heard("mf0", Next, IPEndPoint.Parse("198.51.100.77:51820"), _time.GetUtcNow(), received: 148);
        Assert.True(await reconciler.TakeKeysAsync(due, Cancel));
        Assert.Equal(addresses, (await PeersAsync())[Next].AllowedIps);
        Assert.DoesNotContain(former, (await PeersAsync()).Keys);

        // Whatever the next turns find, also after a restart, and when the facts say the same.
        await TurnAsync(reconciler, due);
        Assert.Equal(Next, reconciler.Applied!.Devices[0].Peers.Single(p => p.Cluster == "borealis").PublicKey);
        reconciler = New();
        await TurnAsync(reconciler, due);
        Assert.DoesNotContain(former, (await PeersAsync()).Keys);
        await TurnAsync(reconciler, Meshes.Plan(With(Before, "borealis", g => g with { PublicKey = Next }), "aurora"));
        var settled = (await PeersAsync())[Next];
        Assert.Equal((addresses, 148ul), (settled.AllowedIps, settled.ReceivedBytes));
    }

    [Fact]
    public async Task A_change_that_is_called_off_leaves_the_former_key()
    {
        var reconciler = New();
        var staged = Meshes.Plan(With(Before, "borealis", g => g with { NextKey = Next }), "aurora");
        await TurnAsync(reconciler, staged);
        await TurnAsync(reconciler, Meshes.Plan(Before, "aurora"));
        Assert.Equal(new[] { Key(Before, "borealis"), Key(Before, "cirrus") }.Order(), (await PeersAsync()).Keys.Order());
    }

    [Fact]
    public async Task Each_of_the_own_devices_has_the_key_that_it_is_to_have_and_carries_nothing_while_it_rests()
    {
        var facts = Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]));
        var config = Meshes.Plan(facts, "aurora");
        var reconciler = New();
        await TurnAsync(reconciler, config);
        Assert.Equal(("mf0,mf1", Own.ToPublicKey(), Own.ToPublicKey()), await ReadAsync());

        (reconciler.OwnKey, reconciler.Resting) = (device => device == "mf0" ? OwnNext : Own, "mf0");
        await TurnAsync(reconciler, config);
        Assert.Equal(("mf1", OwnNext.ToPublicKey(), Own.ToPublicKey()), await ReadAsync());
        // What an agent that was killed now leaves to the next one.
        Assert.Equal([("mf0", OwnNext.ToPublicKey()), ("mf1", Own.ToPublicKey())], (await New().ReadKeysAsync(config, Cancel)).Select(k => (k.Key, k.Value!)).OrderBy(k => k.Key));

        (reconciler.OwnKey, reconciler.Resting) = (_ => OwnNext, null);
        await TurnAsync(reconciler, config);
        Assert.Equal(("mf0,mf1", OwnNext.ToPublicKey(), OwnNext.ToPublicKey()), await ReadAsync());

        async Task<(string By, PublicKey? First, PublicKey? Second)> ReadAsync() =>
            (string.Join(",", _host.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).Devices), (await DeviceAsync()).PublicKey, (await DeviceAsync("mf1")).PublicKey);
    }

    [Fact]
    public void A_relay_lets_in_whoever_showed_the_next_key()
    {
        var facts = Meshes.Hidden(Before, "aurora", "borealis");
        var config = Meshes.Plan(With(facts, "borealis", g => g with { NextKey = Next, ChangesKey = true }), "cirrus");
        var changes = new KeyChanges();
        Assert.Same(config, changes.Apply(config));
        Assert.True(changes.Observe(config.Devices[0], [new PeerState(Next, null, null, 0, null, 148, 0, [])]));
        Assert.False(changes.Observe(config.Devices[0], [new PeerState(Next, null, null, 0, null, 296, 0, [])]));
        var applied = changes.Apply(config);
        Assert.Contains(applied.Relays.SelectMany(r => new[] { r.First, r.Second }), s => s.PublicKey == Next && s.Cluster == "borealis");
        Assert.DoesNotContain(applied.Devices.SelectMany(d => d.Peers), p => p.NextKey is not null);
        changes.Forget(MeshPlanner.Plan(facts, Meshes.Id("cirrus"), Meshes.GatewayId("cirrus", 0)));
        Assert.Same(config, changes.Apply(config));
    }

    [Fact]
    public void A_next_key_that_somebody_else_has_is_not_taken()
    {
        var facts = With(Before, "borealis", g => g with { NextKey = Key(Before, "cirrus"), ChangesKey = true });
        var config = Meshes.Plan(facts, "aurora");
        // Whoever comes second in the facts.
        Assert.Contains(config.Findings, f => f.Code == "gateway-duplicate-key");
        Assert.Single(config.Devices[0].Peers, p => p.Cluster == "borealis");
    }

    GatewayReconciler New() => new(_host.WireGuard.Open(), _host, _host, _host, _host, _host, Own, _time);

    static Task TurnAsync(GatewayReconciler reconciler, GatewayConfig config) => reconciler.ReconcileAsync(config, _ => true, checkFirewall: true, Cancel);

    async Task<Dictionary<PublicKey, PeerState>> PeersAsync() => (await DeviceAsync()).Peers.ToDictionary(p => p.PublicKey);

    Task<DeviceState> DeviceAsync(string name = "mf0") => _host.WireGuard.Open().ReadAsync(name, Cancel);

    static PublicKey Key(MeshFacts facts, string cluster) => facts.Clusters.Single(c => c.Name == cluster).Gateways[0].PublicKey;

    static MeshFacts With(MeshFacts facts, string cluster, Func<MeshFabric.Domain.Clusters.GatewayFacts, MeshFabric.Domain.Clusters.GatewayFacts> change) => facts with
    {
        Clusters = facts.Clusters.Select(c => c.Name == cluster ? c with { Gateways = c.Gateways.Select(change).ToValueList() } : c).ToValueList(),
    };
}
