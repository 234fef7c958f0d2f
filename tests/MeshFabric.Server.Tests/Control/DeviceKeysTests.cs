using System.Net;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Control;

/// <summary>A gateway's device key becomes another one, at the pace at which agents say what they did.</summary>
public sealed class DeviceKeysTests(PostgresServer postgres) : IAsyncLifetime
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    readonly PrivateKey _first = PrivateKey.Generate(), _next = PrivateKey.Generate(), _far = PrivateKey.Generate();
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        foreach (var (cluster, cidr, key) in new[] { ("aurora", "10.10.0.0/16", _first), ("borealis", "10.20.0.0/16", _far) })
        {
            Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(null, 1, Cancel), cluster, "gw1", cidr, Cancel, key.ToPublicKey())).StatusCode);
        }
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task The_others_hold_the_next_key_ready_before_it_is_used_and_it_is_the_gateways_once_it_is()
    {
        await BeatAsync(_first, null);
        Assert.Equal(["aurora/gw1"], (await AskAsync()).ChangingDeviceKey);
        var id = (await GatewayAsync()).Id;
        await UntilAsync(() => Task.FromResult(_service.Broker.Sent.Any(s => s.GatewayId == id && s.Message is OfferDeviceKey)), "the agent to be asked for a key");
        Assert.True((await GatewayAsync()).Drained);

        await UntilAsync(async () =>
        {
            await BeatAsync(_first, _next);
            return (await GatewayAsync()).NextKey == _next.ToPublicKey();
        }, "the next key to be in the facts");
        // Nobody but those two is there, and both say that they know: then it is used.
        await UntilAsync(async () =>
        {
            await BeatAsync(_first, _next);
            return (await GatewayAsync()).ChangesKey;
        }, "the gateway to be told to use it");
        Assert.Equal(_first.ToPublicKey(), (await GatewayAsync()).PublicKey);
        await UntilAsync(async () =>
        {
            await BeatAsync(_next, null);
            return await GatewayAsync() is { NextKey: null, ChangesKey: false, Drained: false } gateway && gateway.PublicKey == _next.ToPublicKey();
        }, "the next key to be the gateway's");
        Assert.Empty((await KeysAsync()).ChangingDeviceKey);
        var events = await _service.EventsAsync(Cancel);
        Assert.Contains(events, e => e.Type == "device-key-changed" && e.Subject == "gateway/aurora/gw1");
        var shown = (await _service.Admin.GetFromJsonAsync<GatewayResource>("/api/v1/gateways/aurora/gw1", MeshJson.Options, Cancel))!;
        Assert.Equal((_next.ToPublicKey(), ""), (shown.Spec.PublicKey, shown.Status.KeyChange));
    }

    [Fact]
    public async Task A_device_key_that_is_half_a_year_old_is_changed_without_anybodys_asking_and_a_younger_one_is_not()
    {
        foreach (var (cluster, days) in new[] { ("aurora", 181), ("borealis", 179) })
        {
            await PostgresServer.QueryAsync(_service.Database, $"UPDATE gateways SET key_since = now() - interval '{days} days' WHERE cluster_id = (SELECT id FROM clusters WHERE name = '{cluster}')", Cancel);
        }

        await UntilAsync(async () =>
        {
            await BeatAsync(_first, null);
            return (await KeysAsync()).ChangingDeviceKey.SequenceEqual(["aurora/gw1"]);
        }, "aurora's key, and no other, to be changed");
    }

    [Fact]
    public async Task What_is_no_key_is_not_offered_and_clusters_that_are_not_there_have_none()
    {
        await AskAsync();
        var gateway = await GatewayAsync();
        await _service.Inbox.OnHeartbeatAsync(gateway.Id, new AgentHeartbeat("test", 1, 1, 0, 0) { Key = _first.ToPublicKey().ToString(), NextKey = "AAAA" }, Cancel);
        await _service.Inbox.OnHeartbeatAsync(gateway.Id, new AgentHeartbeat("test", 1, 1, 0, 0) { Key = _first.ToPublicKey().ToString(), NextKey = Convert.ToBase64String(new byte[PublicKey.Size]) }, Cancel);
        await UntilAsync(() => Task.FromResult(_service.Broker.Sent.Any(s => s.GatewayId == gateway.Id && s.Message is OfferDeviceKey)), "the agent to be asked");
        Assert.Null((await GatewayAsync()).NextKey);
        Assert.Equal(HttpStatusCode.NotFound, (await _service.Admin.PostAsJsonAsync("/api/v1/clusters/nobody/device-keys", new ChangeDeviceKeys(null), MeshJson.Options, Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _service.Admin.PostAsJsonAsync("/api/v1/clusters/aurora/device-keys", new ChangeDeviceKeys(new string('x', 201)), MeshJson.Options, Cancel)).StatusCode);
    }

    /// <summary>Both agents say that they are there; aurora's which keys it has.</summary>
    async Task BeatAsync(PrivateKey used, PrivateKey? offered)
    {
        var facts = await _service.FactsAsync(Cancel);
        await _service.Inbox.OnHeartbeatAsync(Of(facts, "borealis").Id, new AgentHeartbeat("test", facts.Revision, facts.Revision, 1, 1) { Key = _far.ToPublicKey().ToString() }, Cancel);
        await _service.Inbox.OnHeartbeatAsync(Of(facts, "aurora").Id, new AgentHeartbeat("test", facts.Revision, facts.Revision, 1, 1) { Key = used.ToPublicKey().ToString(), NextKey = offered?.ToPublicKey().ToString() }, Cancel);
    }

    async Task<KeysResource> AskAsync()
    {
        await BeatAsync(_first, null);
        var answer = await _service.Admin.PostAsJsonAsync("/api/v1/clusters/aurora/device-keys", new ChangeDeviceKeys("a test"), MeshJson.Options, Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<KeysResource>(MeshJson.Options, Cancel))!;
    }

    static Task UntilAsync(Func<Task<bool>> condition, string what) => Until.TrueAsync(condition, Limit, what, Cancel);

    async Task<GatewayFacts> GatewayAsync() => Of(await _service.FactsAsync(Cancel), "aurora");

    static GatewayFacts Of(MeshFabric.Domain.MeshFacts facts, string cluster) => facts.Clusters.Single(c => c.Name == cluster).Gateways[0];

    async Task<KeysResource> KeysAsync() => (await _service.Admin.GetFromJsonAsync<KeysResource>("/api/v1/mesh/keys", MeshJson.Options, Cancel))!;
}
