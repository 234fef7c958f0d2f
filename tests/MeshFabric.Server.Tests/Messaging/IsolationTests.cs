using System.Net;
using System.Net.Http.Headers;
using System.Text;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Messages;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>What an enrolled agent may do on the broker with its own certificate, and everything that it may not (docs/security.md has the table).</summary>
[Collection(BrokerTests.Name)]
public sealed class IsolationTests(TwoAgents mesh) : IClassFixture<TwoAgents>
{
    const int Refused = 403;

    static readonly Dictionary<string, Func<Attack, Task>> Attacks = new()
    {
        ["consume from B's queue"] = a => a.Channel.BasicConsumeAsync(a.BDown, autoAck: true, new AsyncEventingBasicConsumer(a.Channel), Cancel),
        ["get from B's queue"] = a => a.Channel.BasicGetAsync(a.BDown, autoAck: true, Cancel),
        ["purge B's queue"] = a => a.Channel.QueuePurgeAsync(a.BDown, Cancel),
        ["delete B's queue"] = a => a.Channel.QueueDeleteAsync(a.BDown, cancellationToken: Cancel),
        ["delete B's down exchange"] = a => a.Channel.ExchangeDeleteAsync(a.BDown, cancellationToken: Cancel),
        ["delete B's up exchange"] = a => a.Channel.ExchangeDeleteAsync(a.BUp, cancellationToken: Cancel),
        ["delete the ingress queue"] = a => a.Channel.QueueDeleteAsync(BrokerNames.Ingress, cancellationToken: Cancel),
        ["delete the facts exchange"] = a => a.Channel.ExchangeDeleteAsync(BrokerNames.Facts, cancellationToken: Cancel),
        ["consume from the ingress"] = a => a.Channel.BasicConsumeAsync(BrokerNames.Ingress, autoAck: true, new AsyncEventingBasicConsumer(a.Channel), Cancel),
        ["consume heartbeats"] = a => a.Channel.BasicConsumeAsync(BrokerNames.Heartbeats, autoAck: true, new AsyncEventingBasicConsumer(a.Channel), Cancel),
        ["publish to B's exchange"] = a => a.PublishAsync(a.BDown),
        ["publish to its own down exchange, as the control service does"] = a => a.PublishAsync(BrokerNames.Down(a.AId)),
        ["publish to B's queue by the default exchange"] = a => a.PublishAsync("", a.BDown),
        ["publish to its own queue by the default exchange"] = a => a.PublishAsync("", BrokerNames.Down(a.AId)),
        ["publish to the ingress, without a sender"] = a => a.PublishAsync(BrokerNames.Ingress),
        ["publish to the heartbeats, without a sender"] = a => a.PublishAsync(BrokerNames.Heartbeats),
        ["publish to B's up exchange, as B"] = a => a.PublishAsync(a.BUp),
        ["publish to B's beat exchange, as B"] = a => a.PublishAsync(a.BBeat),
        ["publish facts to everybody"] = a => a.PublishAsync(BrokerNames.Facts),
        ["publish to a built-in exchange"] = a => a.PublishAsync("amq.fanout"),
        ["bind its own queue to B's exchange, to listen"] = a => a.Channel.QueueBindAsync(BrokerNames.Down(a.AId), a.BDown, "", cancellationToken: Cancel),
        ["bind its own queue to B's up exchange, to listen"] = a => a.Channel.QueueBindAsync(BrokerNames.Down(a.AId), a.BUp, "", cancellationToken: Cancel),
        ["bind its own queue to the ingress, to listen"] = a => a.Channel.QueueBindAsync(BrokerNames.Down(a.AId), BrokerNames.Ingress, "", cancellationToken: Cancel),
        ["bind its own queue to its own up exchange"] = a => a.Channel.QueueBindAsync(BrokerNames.Down(a.AId), BrokerNames.Up(a.AId), "", cancellationToken: Cancel),
        ["bind B's queue to its own up exchange"] = a => a.Channel.QueueBindAsync(a.BDown, BrokerNames.Up(a.AId), "", cancellationToken: Cancel),
        ["bind B's exchange to its own up exchange"] = a => a.Channel.ExchangeBindAsync(a.BDown, BrokerNames.Up(a.AId), "", cancellationToken: Cancel),
        ["bind the facts exchange to its own up exchange"] = a => a.Channel.ExchangeBindAsync(BrokerNames.Facts, BrokerNames.Up(a.AId), "", cancellationToken: Cancel),
        ["unbind B's queue"] = a => a.Channel.QueueUnbindAsync(a.BDown, BrokerNames.Facts, "", cancellationToken: Cancel),
        ["declare a queue of any name"] = a => a.Channel.QueueDeclareAsync("mine", durable: false, exclusive: false, autoDelete: true, cancellationToken: Cancel),
        ["declare a queue that the server names"] = a => a.Channel.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true, cancellationToken: Cancel),
        ["declare a queue whose name begins with its own"] = a => a.Channel.QueueDeclareAsync(BrokerNames.Down(a.AId) + "x", durable: true, exclusive: false, autoDelete: false, cancellationToken: Cancel),
        ["declare an exchange where only the dots differ"] = a => a.Channel.ExchangeDeclareAsync("mfXup." + a.AId, "fanout", durable: true, cancellationToken: Cancel),
        ["declare an exchange whose name ends with its own"] = a => a.Channel.ExchangeDeclareAsync("x" + BrokerNames.Up(a.AId), "fanout", durable: true, cancellationToken: Cancel),
        ["declare B's exchange"] = a => a.Channel.ExchangeDeclareAsync(a.BDown, "fanout", durable: true, cancellationToken: Cancel),
        ["declare an exchange of a message type, as the bus would by default"] = a => a.Channel.ExchangeDeclareAsync("MeshFabric.Contracts.Messages:FactsChanged", "fanout", durable: true, cancellationToken: Cancel),
    };

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> AttackNames => [.. Attacks.Keys];

    [Theory]
    [MemberData(nameof(AttackNames))]
    public async Task An_agent_may_not(string attack)
    {
        var before = await mesh.QueuesAsync();
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.ConfirmedAsync(Cancel);
        var run = new Attack(mesh, channel, Guid.NewGuid().ToString("n"));

        var refused = await Record.ExceptionAsync(() => Attacks[attack](run));

        Assert.Equal(Refused, Wire.ReplyCode(refused));
        await mesh.NothingReachedBAsync(run.Marker);
        Assert.Equal(before.Order(), (await mesh.QueuesAsync()).Order());
    }

    [Fact]
    public async Task An_agent_may_read_its_own_queue_and_gets_what_is_sent_to_it()
    {
        await using var admin = await mesh.Rabbit.ConnectAsync(mesh.Control.Settings.VirtualHost, Cancel);
        await using var sender = await admin.ConfirmedAsync(Cancel);
        await sender.PublishAsync(BrokerNames.Down(mesh.A.Id), "hello A"u8.ToArray(), Cancel);
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        var got = new List<string>();

        await Until.TrueAsync(async () =>
        {
            if (await channel.BasicGetAsync(BrokerNames.Down(mesh.A.Id), autoAck: true, Cancel) is { } message)
            {
                got.Add(Encoding.UTF8.GetString(message.Body.Span));
            }

            return got.Contains("hello A");
        }, TimeSpan.FromSeconds(20), () => string.Join(" | ", got), Cancel);
    }

    [Fact]
    public async Task An_agent_may_declare_its_own_exchanges_as_they_are_and_write_to_those_that_lead_up()
    {
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.ConfirmedAsync(Cancel);

        foreach (var exchange in new[] { BrokerNames.Up(mesh.A.Id), BrokerNames.Beat(mesh.A.Id) })
        {
            await channel.ExchangeDeclareAsync(exchange, "fanout", durable: true, cancellationToken: Cancel);
            await channel.PublishAsync(exchange, Wire.Envelope(new RequestFacts(0, "test")), Cancel);
        }
    }

    [Fact]
    public async Task A_forged_user_id_is_refused_and_the_own_one_is_not()
    {
        await using var connection = await mesh.ConnectAsAAsync();
        await using var honest = await connection.ConfirmedAsync(Cancel);
        await honest.PublishAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new RequestFacts(0, "test")), Cancel, new BasicProperties { ContentType = Wire.EnvelopeType, UserId = mesh.A.User });
        await using var liar = await connection.ConfirmedAsync(Cancel);

        var refused = await Record.ExceptionAsync(() => liar.PublishAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new RequestFacts(0, "test")), Cancel, new BasicProperties { UserId = mesh.B.User }));

        Assert.Equal(406, Wire.ReplyCode(refused));
    }

    [Theory]
    [InlineData("CC")]
    [InlineData("BCC")]
    public async Task A_copy_header_that_names_B_s_queue_has_no_effect(string header)
    {
        var marker = Guid.NewGuid().ToString("n");
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.ConfirmedAsync(Cancel);

        await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), Encoding.UTF8.GetBytes(marker), Cancel,
            new BasicProperties { Headers = new Dictionary<string, object?> { [header] = new List<object?> { BrokerNames.Down(mesh.B.Id) } } });

        await mesh.NothingReachedBAsync(marker);
    }

    [Theory]
    [InlineData("x-dead-letter-exchange", true)]
    [InlineData("x-dead-letter-exchange", false)]
    public async Task An_agent_that_gave_up_its_own_queue_cannot_make_one_that_dead_letters_to_B(string argument, bool byDefaultExchange)
    {
        var mallory = await TestAgent.JoinAsync(mesh.Control.Settings, "aurora", byDefaultExchange ? "dlx1" : "dlx2", null, Cancel);
        var queue = BrokerNames.Down(mallory.Id);
        await using var connection = await mallory.ConnectAsync(Cancel);
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            await channel.QueueDeleteAsync(queue, cancellationToken: Cancel);
        }

        await using var attack = await connection.CreateChannelAsync(cancellationToken: Cancel);
        var arguments = byDefaultExchange
            ? new Dictionary<string, object?> { [argument] = "", ["x-dead-letter-routing-key"] = BrokerNames.Down(mesh.B.Id), ["x-message-ttl"] = 1 }
            : new Dictionary<string, object?> { [argument] = BrokerNames.Down(mesh.B.Id) };
        var refused = await Record.ExceptionAsync(() => attack.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, arguments, cancellationToken: Cancel));

        Assert.Equal(Refused, Wire.ReplyCode(refused));
    }

    [Fact]
    public async Task An_agent_that_gave_up_its_own_exchange_cannot_make_one_whose_alternate_is_B_s_or_the_ingress()
    {
        var mallory = await TestAgent.JoinAsync(mesh.Control.Settings, "aurora", "ae1", null, Cancel);
        var exchange = BrokerNames.Up(mallory.Id);
        await using var connection = await mallory.ConnectAsync(Cancel);
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            await channel.ExchangeDeleteAsync(exchange, cancellationToken: Cancel);
        }

        foreach (var target in new[] { BrokerNames.Down(mesh.B.Id), BrokerNames.Ingress })
        {
            await using var attack = await connection.CreateChannelAsync(cancellationToken: Cancel);
            var refused = await Record.ExceptionAsync(() => attack.ExchangeDeclareAsync(exchange, "fanout", durable: true, autoDelete: false, new Dictionary<string, object?> { ["alternate-exchange"] = target }, cancellationToken: Cancel));
            Assert.Equal(Refused, Wire.ReplyCode(refused));
        }
    }

    [Fact]
    public async Task Names_can_only_be_asked_for_by_those_who_know_them_and_ids_cannot_be_guessed()
    {
        // A broker of this version tells anybody that a queue exists, whose name he knows: so ids carry 80 random bits (docs/security.md).
        Assert.Matches("^g-[a-z2-9]{16}$", mesh.B.Id);
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);

        var unknown = await Record.ExceptionAsync(() => channel.QueueDeclarePassiveAsync(BrokerNames.Down("g-aaaaaaaaaaaaaaaa"), Cancel));

        Assert.Equal(404, Wire.ReplyCode(unknown));
    }

    [Fact]
    public async Task The_management_API_lets_no_agent_in_and_the_administrator_does_get_in()
    {
        using var http = new HttpClient { BaseAddress = mesh.Rabbit.Server.ManagementUrl };
        foreach (var (user, password) in new[] { (mesh.A.User, ""), (mesh.A.User, mesh.A.User), ("guest", "guest"), (mesh.Rabbit.Server.Username, "") })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(user, password));
        }

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(mesh.Rabbit.Server.Username, mesh.Rabbit.Server.Password));

        async Task<HttpStatusCode> StatusAsync(string user, string password)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "api/whoami");
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
            using var response = await http.SendAsync(request, Cancel);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task A_fifth_connection_and_a_seventeenth_channel_of_one_agent_are_refused()
    {
        var agent = await TestAgent.JoinAsync(mesh.Control.Settings, "aurora", "many", null, Cancel);
        var connections = new List<IConnection>();
        try
        {
            for (var i = 0; i < 4; i++)
            {
                var open = await agent.ConnectAsync(Cancel);
                connections.Add(open);
                await using var works = await open.CreateChannelAsync(cancellationToken: Cancel);
            }

            var fifth = await Record.ExceptionAsync(async () =>
            {
                await using var connection = await agent.ConnectAsync(Cancel);
                await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
            });
            Assert.Equal(530, Wire.ReplyCode(fifth));

            // The first channel above is closed again; sixteen are the limit.
            var seventeenth = await Record.ExceptionAsync(async () =>
            {
                for (var i = 0; i < 17; i++)
                {
                    await connections[0].CreateChannelAsync(cancellationToken: Cancel);
                }
            });
            Assert.IsType<OperationInterruptedException>(seventeenth, exactMatch: false);
        }
        finally
        {
            foreach (var connection in connections)
            {
                await connection.DisposeAsync();
            }
        }
    }

    sealed record Attack(TwoAgents Mesh, IChannel Channel, string Marker)
    {
        public string AId => Mesh.A.Id;
        public string BDown => BrokerNames.Down(Mesh.B.Id);
        public string BUp => BrokerNames.Up(Mesh.B.Id);
        public string BBeat => BrokerNames.Beat(Mesh.B.Id);

        public Task PublishAsync(string exchange, string routingKey = "") =>
            Channel.PublishAsync(exchange, Wire.Envelope(new LeaveMesh(Marker)), Cancel, routingKey: routingKey);
    }
}
