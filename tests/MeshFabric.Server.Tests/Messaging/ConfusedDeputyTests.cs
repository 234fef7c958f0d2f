using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;
using RabbitMQ.Client;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>An agent cannot write to B; the control service can. It must not do so because an agent's message asks it to.</summary>
[Collection(BrokerTests.Name)]
public sealed class ConfusedDeputyTests(TwoAgents mesh) : IClassFixture<TwoAgents>
{
    const int GuardRefused = 2001;
    const string Evil = "evil-made-by-the-control-service";

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    string Host => Uri.EscapeDataString(mesh.Control.Settings.VirtualHost);

    [Theory]
    [InlineData("responseAddress", "exchange:B")]
    [InlineData("responseAddress", "rabbitmq://127.0.0.1/HOST/B")]
    [InlineData("responseAddress", "queue:" + Evil)]
    [InlineData("faultAddress", "exchange:B")]
    [InlineData("faultAddress", "rabbitmq://127.0.0.1/HOST/B")]
    [InlineData("faultAddress", "queue:" + Evil)]
    public async Task An_address_in_the_envelope_is_refused_and_nothing_goes_there(string member, string address)
    {
        var target = address.Replace("HOST", Host, StringComparison.Ordinal).Replace("B", BrokerNames.Down(mesh.B.Id), StringComparison.Ordinal);
        var marker = $"marker-{Guid.NewGuid():n}";

        // One message that is answered, and one that makes its consumer fail: both ways to be sent back.
        await RefusedAsync(Wire.Envelope(new RequestFacts(0, marker), ("requestId", Guid.NewGuid().ToString()), (member, target)), Properties());
        await RefusedAsync(Failing(marker, ("requestId", Guid.NewGuid().ToString()), (member, target)), Properties());

        await mesh.NothingReachedBAsync(marker);
        Assert.False(await mesh.QueueExistsAsync(Evil));
    }

    [Theory]
    [InlineData("MT-Response-Address")]
    [InlineData("MT-Fault-Address")]
    public async Task Raw_JSON_with_an_address_in_its_headers_cannot_be_read_and_is_not_answered_either(string header)
    {
        foreach (var target in new[] { $"exchange:{BrokerNames.Down(mesh.B.Id)}", $"queue:{Evil}" })
        {
            var marker = $"marker-{Guid.NewGuid():n}";
            var properties = new BasicProperties
            {
                ContentType = "application/json",
                Headers = new Dictionary<string, object?>
                {
                    [header] = target,
                    ["MT-Request-Id"] = Guid.NewGuid().ToString(),
                    ["MT-MessageType"] = "urn:message:MeshFabric.Contracts.Messages:RequestFacts",
                },
            };

            var unread = Unread();
            await using var connection = await mesh.ConnectAsAAsync();
            await using var channel = await connection.ConfirmedAsync(Cancel);
            await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), JsonSerializer.SerializeToUtf8Bytes(new RequestFacts(0, marker), MeshJson.Options), Cancel, properties);
            await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), "not json"u8.ToArray(), Cancel, properties);

            await Until.TrueAsync(() => Unread() >= unread + 2, TimeSpan.FromSeconds(15), () => "the messages were not handled", Cancel);
            await mesh.NothingReachedBAsync(marker);
            Assert.False(await mesh.QueueExistsAsync(Evil));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("exchange:amq.rabbitmq.reply-to")]
    [InlineData("rabbitmq://127.0.0.1/HOST/amq.rabbitmq.reply-to")]
    public async Task A_literal_reply_to_is_refused(string? responseAddress)
    {
        var marker = $"marker-{Guid.NewGuid():n}";
        var properties = Properties();
        properties.ReplyTo = BrokerNames.Down(mesh.B.Id);
        var address = responseAddress?.Replace("HOST", Host, StringComparison.Ordinal);

        await RefusedAsync(address is null ? Wire.Envelope(new RequestFacts(0, marker)) : Wire.Envelope(new RequestFacts(0, marker), ("requestId", Guid.NewGuid().ToString()), ("responseAddress", address)), properties);

        await mesh.NothingReachedBAsync(marker);
    }

    [Fact]
    public async Task A_body_that_no_honest_report_has_is_refused() =>
        await RefusedAsync(Wire.Envelope(new RequestFacts(0, new string('x', (8 << 20) + 1))), Properties());

    [Fact]
    public async Task The_same_message_without_any_address_is_answered_to_its_sender_alone()
    {
        var agent = await TestAgent.JoinAsync(mesh.Control.Settings, "aurora", "honest", null, Cancel);
        var marker = $"marker-{Guid.NewGuid():n}";
        await using var connection = await agent.ConnectAsync(Cancel);
        await using var channel = await connection.ConfirmedAsync(Cancel);

        await channel.PublishAsync(BrokerNames.Up(agent.Id), Wire.Envelope(new RequestFacts(0, marker)), Cancel);

        FactsSnapshot? snapshot = null;
        await Until.TrueAsync(async () =>
        {
            if (await channel.BasicGetAsync(BrokerNames.Down(agent.Id), autoAck: true, Cancel) is { } message)
            {
                snapshot = Wire.Read<FactsSnapshot>(message.Body.Span);
            }

            return snapshot is not null;
        }, TimeSpan.FromSeconds(20), () => "no snapshot", Cancel);
        Assert.Contains(snapshot!.Facts.Clusters, c => c.Name == "aurora");
        await mesh.NothingReachedBAsync(marker);
    }

    [Fact]
    public async Task Messages_that_cannot_be_read_or_make_a_consumer_fail_leave_nothing_behind_and_hold_up_nobody()
    {
        var before = await mesh.QueuesAsync();
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.ConfirmedAsync(Cancel);
        for (var i = 0; i < 40; i++)
        {
            await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), "not json"u8.ToArray(), Cancel);
            await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), Encoding.UTF8.GetBytes("""{"messageType":["urn:message:Nobody:Knows"],"message":{}}"""), Cancel);
            await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), Failing($"poison {i}"), Cancel);
            await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new GatewayReported("nul \0 in a text", "kernel", 0, 0, false, [], [], null)), Cancel);
        }

        await using var b = await mesh.B.ConnectAsync(Cancel);
        await using var honest = await b.ConfirmedAsync(Cancel);
        await honest.PublishAsync(BrokerNames.Up(mesh.B.Id), Wire.Envelope(new GatewayReported("after-the-poison", "kernel", 0, 0, false, [], [], null)), Cancel);

        // Sixteen consumers, forty bad messages of each kind: if each were retried for its 17 seconds, this would take minutes.
        await Until.TrueAsync(async () => (await mesh.Control.Api.GetAsync<GatewayResource>("gateways/borealis/gw1", Cancel)).Status.AgentVersion == "after-the-poison",
            TimeSpan.FromSeconds(15), () => "B's report waits behind A's bad messages", Cancel);
        Assert.Equal(before.Order(), (await mesh.QueuesAsync()).Order());
    }

    int Unread() => mesh.Control.Log.Lines.Count(l => l.Text.Contains("R-FAULT", StringComparison.Ordinal));

    static BasicProperties Properties() => new() { ContentType = Wire.EnvelopeType };

    /// <summary>A report whose lists are missing: its consumer fails.</summary>
    static byte[] Failing(string marker, params (string, JsonNode?)[] more)
    {
        var envelope = JsonNode.Parse(Wire.Envelope(new GatewayReported(marker, "kernel", 0, 0, true, [], [], null), more))!;
        envelope["message"]!.AsObject().Remove("tunnels");
        return Encoding.UTF8.GetBytes(envelope.ToJsonString());
    }

    async Task RefusedAsync(byte[] body, BasicProperties properties)
    {
        var before = mesh.Control.Log.Count(GuardRefused);
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.ConfirmedAsync(Cancel);
        await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), body, Cancel, properties);
        await Until.TrueAsync(() => mesh.Control.Log.Count(GuardRefused) > before, TimeSpan.FromSeconds(15), () => "the guard did not refuse it", Cancel);
    }
}
