using System.Collections.Concurrent;
using System.Text;
using MeshFabric.Contracts;
using MeshFabric.Server.Tests.Control;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>One control service and two enrolled agents: A attacks, B must not notice. Whatever reaches B's queue is kept.</summary>
public sealed class TwoAgents(PostgresServer postgres, RabbitServer rabbit) : IAsyncLifetime
{
    readonly ConcurrentQueue<string> _received = [];
    IConnection _listening = null!;
    IConnection _admin = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public RabbitServer Rabbit => rabbit;
    public BrokeredControl Control { get; private set; } = null!;
    public TestAgent A { get; private set; } = null!;
    public TestAgent B { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Control = await BrokeredControl.StartAsync(postgres, rabbit, Cancel);
        A = await TestAgent.JoinAsync(Control.Settings, "aurora", "gw1", "10.10.0.0/16", Cancel);
        B = await TestAgent.JoinAsync(Control.Settings, "borealis", "gw1", "10.20.0.0/16", Cancel);
        _admin = await rabbit.ConnectAsync(Control.Settings.VirtualHost, Cancel);
        _listening = await B.ConnectAsync(Cancel);
        var channel = await _listening.CreateChannelAsync(cancellationToken: Cancel);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            _received.Enqueue(Encoding.UTF8.GetString(delivery.Body.Span));
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(BrokerNames.Down(B.Id), autoAck: true, consumer, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await _listening.DisposeAsync();
        await _admin.DisposeAsync();
        await Control.DisposeAsync();
    }

    /// <summary>A's next connection. The broker learns by events that one has ended, and refuses a fifth (530) as long as it counts those of earlier tests: that is waited for.</summary>
    public async Task<IConnection> ConnectAsAAsync()
    {
        const int notAllowed = 530;
        IConnection? connection = null;
        await Until.TrueAsync(async () =>
        {
            try
            {
                connection = await A.ConnectAsync(Cancel);
                await using var works = await connection.CreateChannelAsync(cancellationToken: Cancel);
                return true;
            }
            catch (Exception e) when (Wire.ReplyCode(e) == notAllowed)
            {
                await (connection?.DisposeAsync() ?? ValueTask.CompletedTask);
                connection = null;
                // A refused one is counted for a while too: asking at once again would fill the room that is waited for.
                await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
                return false;
            }
        }, TimeSpan.FromSeconds(60), "the broker has room for a connection of A", Cancel);
        return connection!;
    }

    /// <summary>Fails when a message with this text in it came to B. What was routed to B before this call is seen, for its queue is in order.</summary>
    public async Task NothingReachedBAsync(string marker)
    {
        var fence = $"fence-{Guid.NewGuid():n}";
        await using (var channel = await _admin.ConfirmedAsync(Cancel))
        {
            await channel.PublishAsync(BrokerNames.Down(B.Id), Encoding.UTF8.GetBytes(fence), Cancel);
        }

        await Until.TrueAsync(() => _received.Contains(fence), TimeSpan.FromSeconds(20), () => "the fence did not come to B", Cancel);
        Assert.DoesNotContain(_received, r => r.Contains(marker, StringComparison.Ordinal));
        // The bus' own notices of failure carry no marker.
        Assert.DoesNotContain(_received, r => r.Contains("urn:message:MassTransit:", StringComparison.Ordinal));
    }

    public async Task<bool> QueueExistsAsync(string name) => (await QueuesAsync()).Contains(name);

    /// <summary>Names of all queues and exchanges of the mesh.</summary>
    public async Task<IReadOnlySet<string>> QueuesAsync()
    {
        var host = Uri.EscapeDataString(Control.Settings.VirtualHost);
        var queues = await rabbit.Server.ListAsync($"api/queues/{host}?columns=name", Cancel);
        var exchanges = await rabbit.Server.ListAsync($"api/exchanges/{host}?columns=name", Cancel);
        return queues.Concat(exchanges).Select(q => (string)q!["name"]!).ToHashSet();
    }
}
