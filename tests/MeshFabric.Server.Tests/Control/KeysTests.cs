using System.Net;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;
using Npgsql;

namespace MeshFabric.Server.Tests.Control;

/// <summary>The mesh secret goes to every gateway, for its eyes only, and to no disk of the control service.</summary>
public sealed class KeysTests(PostgresServer postgres) : IAsyncLifetime
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    readonly PrivateKey _aurora = PrivateKey.Generate(), _borealis = PrivateKey.Generate();
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        foreach (var (cluster, cidr, key) in new[] { ("aurora", "10.10.0.0/16", _aurora), ("borealis", "10.20.0.0/16", _borealis) })
        {
            Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(null, 1, Cancel), cluster, "gw1", cidr, Cancel, key.ToPublicKey())).StatusCode);
        }
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task All_gateways_get_the_same_secret_each_sealed_for_itself_and_the_facts_say_who_holds_it()
    {
        var aurora = await HeldByAsync("aurora", _aurora);
        Assert.Equal(0, (await GatewayAsync("borealis")).KeyEpoch);
        var borealis = await HeldByAsync("borealis", _borealis);
        Assert.Equal(aurora.Secret.Bytes, borealis.Secret.Bytes);
        var keys = await KeysAsync();
        Assert.Equal((aurora.Epoch, 2, 2), (keys.Epoch, keys.Gateways, keys.Holding));
        Assert.Empty(keys.Waiting);
    }

    [Fact]
    public async Task The_database_has_nothing_that_the_secret_could_be_read_from()
    {
        var (_, secret) = await HeldByAsync("aurora", _aurora);
        await using var connection = new NpgsqlConnection(_service.Database);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand("SELECT encode(salt, 'hex') || ' ' || encode(coalesce(\"check\", ''), 'hex') || ' ' || reason FROM key_epochs", connection);
        var row = Assert.IsType<string>(await command.ExecuteScalarAsync(Cancel));
        Assert.DoesNotContain(Convert.ToHexStringLower(secret.Bytes)[..16], row, StringComparison.Ordinal);
        Assert.Contains("the first gateway came", row, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_that_knows_nothing_of_secrets_is_sent_none_and_one_that_became_such_a_one_has_none_any_more()
    {
        await HeldByAsync("aurora", _aurora);
        await BeatAsync("borealis", null);
        await BeatAsync("aurora", null);
        await Until.TrueAsync(async () => (await GatewayAsync("aurora")).KeyEpoch == 0, Limit, "the epoch of aurora to be forgotten", Cancel);
        var id = (await GatewayAsync("borealis")).Id;
        Assert.Empty(Issued(id));
    }

    [Fact]
    public async Task Who_lost_its_secret_gets_it_again_and_its_tunnels_keep_their_keys_meanwhile()
    {
        var (epoch, _) = await HeldByAsync("aurora", _aurora);
        var id = (await GatewayAsync("aurora")).Id;
        var before = Issued(id).Count();
        // As much later as the service waits before it sends one again.
        await Until.TrueAsync(async () =>
        {
            await BeatAsync("aurora", 0);
            return Issued(id).Count() > before;
        }, TimeSpan.FromSeconds(40), "the secret to be sent again", Cancel);
        Assert.Equal(epoch, (await GatewayAsync("aurora")).KeyEpoch);
    }

    [Fact]
    public async Task When_somebody_leaves_all_others_get_another_secret_and_the_old_one_can_be_made_no_more()
    {
        var first = await HeldByAsync("aurora", _aurora);
        await HeldByAsync("borealis", _borealis);
        Assert.Equal(HttpStatusCode.NoContent, (await _service.Admin.DeleteAsync("/api/v1/clusters/borealis", Cancel)).StatusCode);
        Assert.Equal(["gw1"], (await KeysAsync()).Waiting.Select(w => w.Split('/')[1]));
        await BeatAsync("aurora", first.Epoch);
        var second = await HeldByAsync("aurora", _aurora, above: first.Epoch);
        Assert.NotEqual(first.Secret.Bytes.ToArray(), second.Secret.Bytes.ToArray());
        await using var connection = new NpgsqlConnection(_service.Database);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand("SELECT count(*) FROM key_epochs", connection);
        Assert.Equal(1L, await command.ExecuteScalarAsync(Cancel));
    }

    [Fact]
    public async Task Whoever_asks_for_new_keys_is_named_and_a_reason_that_is_too_long_is_refused()
    {
        var (epoch, _) = await HeldByAsync("aurora", _aurora);
        var answer = await _service.Admin.PostAsJsonAsync("/api/v1/mesh/keys", new RenewKeys("a disk was lost"), MeshJson.Options, Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var keys = (await answer.Content.ReadFromJsonAsync<KeysResource>(MeshJson.Options, Cancel))!;
        Assert.Equal((epoch + 1, "a disk was lost", 0), (keys.Epoch, keys.Reason, keys.Holding));
        var events = await _service.EventsAsync(Cancel);
        Assert.Contains(events, e => e.Type == "keys-renewed" && e.Message.Contains($"epoch {epoch + 1}", StringComparison.Ordinal) && e.Message.Contains("a disk was lost", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _service.Admin.PostAsJsonAsync("/api/v1/mesh/keys", new RenewKeys(new string('x', 201)), MeshJson.Options, Cancel)).StatusCode);
        Assert.Equal(epoch + 1, (await KeysAsync()).Epoch);
    }

    [Fact]
    public async Task A_gateway_that_holds_a_newer_epoch_than_the_database_knows_of_does_not_keep_it()
    {
        // As after a database was restored from a backup, which knows of none at all.
        var held = KeyEpochs.Next(0, DateTimeOffset.UtcNow) + 5;
        await BeatAsync("aurora", held);
        await HeldByAsync("aurora", _aurora, above: held);
    }

    [Fact]
    public async Task What_a_gateway_makes_up_does_not_count()
    {
        var (epoch, _) = await HeldByAsync("aurora", _aurora);
        await BeatAsync("borealis", int.MaxValue);
        await BeatAsync("borealis", epoch + 1);
        // Both were seen, and more than once.
        await HeldByAsync("borealis", _borealis);
        Assert.Equal(epoch, (await KeysAsync()).Epoch);
    }

    [Fact]
    public async Task Keys_that_are_a_month_old_are_renewed_without_anybodys_asking()
    {
        var (epoch, secret) = await HeldByAsync("aurora", _aurora);
        await PostgresServer.QueryAsync(_service.Database, "UPDATE key_epochs SET created_at = now() - interval '30 days 1 minute'", Cancel);
        var renewed = await HeldByAsync("aurora", _aurora, above: epoch);
        Assert.False(secret.Bytes.SequenceEqual(renewed.Secret.Bytes));
        Assert.Equal((renewed.Epoch, "they are 30 days old"), ((await KeysAsync()).Epoch, (await KeysAsync()).Reason));
    }

    [Fact]
    public async Task A_key_that_no_secret_can_be_shared_with_is_refused() =>
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _service.EnrolAsync(await _service.JoinTokenAsync(null, 1, Cancel), "cirrus", "gw1", "10.30.0.0/16", Cancel, new PublicKey(new byte[PublicKey.Size]))).StatusCode);

    /// <summary>The gateway says what it holds, gets a secret, and says that it holds that.</summary>
    async Task<(int Epoch, MeshSecret Secret)> HeldByAsync(string cluster, PrivateKey key, int above = 0)
    {
        var gateway = await GatewayAsync(cluster);
        if (gateway.KeyEpoch == 0 && above == 0)
        {
            await BeatAsync(cluster, 0);
        }

        MeshSecretIssued? issued = null;
        await Until.TrueAsync(() => (issued = Issued(gateway.Id).LastOrDefault(m => m.Epoch > above)) is not null, Limit, $"a secret of an epoch above {above} to be sent to {cluster}", Cancel);
        await BeatAsync(cluster, issued!.Epoch);
        await Until.TrueAsync(async () => (await GatewayAsync(cluster)).KeyEpoch == issued.Epoch, Limit, $"the facts to say that {cluster} holds epoch {issued.Epoch}", Cancel);
        return (issued.Epoch, MeshSecret.Open(issued.Sealed, key, issued.Epoch));
    }

    IEnumerable<MeshSecretIssued> Issued(string gatewayId) => _service.Broker.Sent.Where(s => s.GatewayId == gatewayId).Select(s => s.Message).OfType<MeshSecretIssued>();

    async Task BeatAsync(string cluster, int? epoch) => await _service.Inbox.OnHeartbeatAsync((await GatewayAsync(cluster)).Id, new AgentHeartbeat("test", 1, 1, 0, 0) { KeyEpoch = epoch }, Cancel);

    async Task<GatewayFacts> GatewayAsync(string cluster) => (await _service.FactsAsync(Cancel)).Clusters.Single(c => c.Name == cluster).Gateways[0];

    async Task<KeysResource> KeysAsync() => (await _service.Admin.GetFromJsonAsync<KeysResource>("/api/v1/mesh/keys", MeshJson.Options, Cancel))!;
}
