using System.Diagnostics;
using MeshFabric.Agent.Facts;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>A removed cluster or gateway is out, at once and for good.</summary>
[Collection(BrokerTests.Name)]
public sealed class CutOffTests(TwoAgents mesh) : IClassFixture<TwoAgents>
{
    // Two seconds for the farewell, a breath for its delivery, and a busy machine.
    static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(10);

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("clusters/dorado")]
    [InlineData("gateways/dorado/gw1")]
    public async Task Removing_closes_the_open_connection_lets_it_in_no_more_and_the_others_hear_of_it(string path)
    {
        var agent = await TestAgent.JoinAsync(mesh.Control.Settings, "dorado", "gw1", "10.40.0.0/16", Cancel);
        await using var open = await agent.ConnectAsync(Cancel);
        var closed = new TaskCompletionSource<long>();
        open.ConnectionShutdownAsync += (_, _) =>
        {
            closed.TrySetResult(Stopwatch.GetTimestamp());
            return Task.CompletedTask;
        };
        var farewell = new TaskCompletionSource<string>();
        await using var channel = await open.CreateChannelAsync(cancellationToken: Cancel);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            if (Wire.Read<LeaveMesh>(delivery.Body.Span) is { } leave)
            {
                farewell.TrySetResult(leave.Reason);
            }

            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(BrokerNames.Down(agent.Id), autoAck: true, consumer, Cancel);
        using var http = mesh.Control.Settings.Http(mesh.Control.Settings.AdminToken);

        var began = Stopwatch.GetTimestamp();
        (await http.DeleteAsync($"/api/v1/{path}", Cancel)).EnsureSuccessStatusCode();

        Assert.Contains("removed from the mesh", await farewell.Task.WaitAsync(AtOnce, Cancel));
        Assert.True(Stopwatch.GetElapsedTime(began, await closed.Task.WaitAsync(AtOnce, Cancel)) < AtOnce);
        Assert.False(open.IsOpen);
        var again = await Assert.ThrowsAsync<BrokerUnreachableException>(() => agent.ConnectAsync(Cancel));
        Assert.IsType<AuthenticationFailureException>(again.InnerException);
        await OthersAsync(facts => !facts.Clusters.Any(c => c.Gateways.Any(g => g.Id == agent.Id)));
        Assert.DoesNotContain(await mesh.QueuesAsync(), q => q.Contains(agent.Id, StringComparison.Ordinal));

        using var api = mesh.Control.Settings.Client();
        if (path.StartsWith("gateways", StringComparison.Ordinal))
        {
            await api.DeleteClusterAsync("dorado", Cancel);
        }

        agent.State.Delete();
    }

    [Fact]
    public async Task An_agent_that_deleted_its_own_queue_and_exchange_gets_them_back()
    {
        var agent = await TestAgent.JoinAsync(mesh.Control.Settings, "fornax", "gw1", "10.60.0.0/16", Cancel);
        await using (var connection = await agent.ConnectAsync(Cancel))
        {
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
            await channel.QueueDeleteAsync(BrokerNames.Down(agent.Id), cancellationToken: Cancel);
            await channel.ExchangeDeleteAsync(BrokerNames.Up(agent.Id), cancellationToken: Cancel);
        }

        Assert.False(await mesh.QueueExistsAsync(BrokerNames.Up(agent.Id)));
        mesh.Control.Reconciler.Wake();
        await Until.TrueAsync(async () => (await mesh.QueuesAsync()).IsSupersetOf([BrokerNames.Down(agent.Id), BrokerNames.Up(agent.Id)]), TimeSpan.FromSeconds(20), () => "queue and exchange are not back", Cancel);
        await mesh.Control.Api.DeleteClusterAsync("fornax", Cancel);
    }

    [Fact]
    public async Task Removing_one_leaves_the_others_connected()
    {
        await TestAgent.JoinAsync(mesh.Control.Settings, "eridanus", "gw1", "10.50.0.0/16", Cancel);
        await using var other = await mesh.ConnectAsAAsync();

        await mesh.Control.Api.DeleteClusterAsync("eridanus", Cancel);

        Assert.True(other.IsOpen);
        await using var channel = await other.CreateChannelAsync(cancellationToken: Cancel);
        await channel.BasicGetAsync(BrokerNames.Down(mesh.A.Id), autoAck: false, Cancel);
    }

    /// <summary>A's own replica, fed by its queue, comes to hold this.</summary>
    async Task OthersAsync(Func<Domain.MeshFacts, bool> condition)
    {
        var replica = new FactsReplica(mesh.A.State.ReadFacts(out _));
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.ConfirmedAsync(Cancel);
        await channel.PublishAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new RequestFacts(replica.Revision, "test")), Cancel);
        var wanted = (await mesh.Control.Api.GetAsync<MeshResource>("mesh", Cancel)).Revision;
        await Until.TrueAsync(async () =>
        {
            while (await channel.BasicGetAsync(BrokerNames.Down(mesh.A.Id), autoAck: true, Cancel) is { } message)
            {
                if (Wire.Read<FactsChanged>(message.Body.Span) is { } change)
                {
                    replica.Apply(change);
                }
                else if (Wire.Read<FactsSnapshot>(message.Body.Span) is { } snapshot)
                {
                    replica.Apply(snapshot);
                }
            }

            return replica.Revision >= wanted && condition(replica.Facts!);
        }, TimeSpan.FromSeconds(20), () => $"A holds revision {replica.Revision} of {wanted}", Cancel);
    }
}
