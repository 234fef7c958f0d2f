using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Faults;

/// <summary>Facts change while parts of the control plane are killed by SIGKILL: nothing confirmed is lost, and every agent ends with exactly the database's facts.</summary>
[Collection(BrokerTests.Name)]
public sealed class ConvergenceTests(RabbitServer rabbit)
{
    // The broker's restart after a crash took up to 38 s on a loaded machine, and MassTransit's reconnection up to 33 s more.
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("control")]
    [InlineData("postgres")]
    [InlineData("rabbit")]
    [InlineData("control postgres rabbit")]
    public async Task Every_confirmed_change_reaches_every_agent_once_whatever_is_killed(string killed)
    {
        await using var mesh = await FaultyMesh.StartAsync(rabbit, Cancel);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var writing = mesh.WriteAsync(stop.Token);
        await CreatedAsync(mesh, 10);

        await KillAsync(mesh, killed);
        // While it is away, too: agents must not hear of the future, nor miss the past.
        await Task.Delay(TimeSpan.FromSeconds(2), Cancel);
        await RestartAsync(mesh, killed);
        await CreatedAsync(mesh, mesh.Created.Count + 10);
        await stop.CancelAsync();
        await writing;

        var wanted = await mesh.FactsAsync(Cancel);
        var names = wanted.Clusters.Select(c => c.Name).ToHashSet();
        Assert.All(mesh.Created, name => Assert.Contains(name, names));
        foreach (var agent in mesh.Agents)
        {
            await Until.TrueAsync(() => agent.Facts == wanted, Limit,
                () => $"{agent.Name} holds {agent.Facts?.Revision} of {wanted.Revision} after {string.Join(", ", agent.Received.TakeLast(10))}; {mesh.Control.LogTail()}", Cancel);
            // Each state was taken once, in order; what came twice or late had no effect.
            Assert.Equal(agent.Applied.Distinct().Order(), agent.Applied);
        }

        // A change that was tried again by whoever wrote it is one change.
        Assert.Equal(names.Count, wanted.Clusters.Count);
        Assert.Equal(0L, await PostgresServer.QueryAsync(mesh.Settings.Database,
            "SELECT count(*) FROM (SELECT target FROM audit_records WHERE action = 'cluster.create' GROUP BY target HAVING count(*) > 1) twice", Cancel));
        // Agents may have got there by snapshots; the deltas follow all the same.
        await Until.TrueAsync(async () => wanted.Revision.Equals(await PostgresServer.QueryAsync(mesh.Settings.Database, "SELECT published_revision FROM mesh", Cancel)), Limit,
            () => $"not all up to {wanted.Revision} was published; {mesh.Control.LogTail()}", Cancel);
    }

    static Task CreatedAsync(FaultyMesh mesh, int count) =>
        Until.TrueAsync(() => mesh.Created.Count >= count, TimeSpan.FromSeconds(60), () => $"only {mesh.Created.Count} changes of {count} were confirmed; {mesh.Control.LogTail()}", Cancel);

    static async Task KillAsync(FaultyMesh mesh, string parts) => await Task.WhenAll(parts.Split(' ').Select(part => part switch
    {
        "control" => mesh.Control.KillAsync(),
        "postgres" => mesh.Postgres.Kill9Async(Cancel),
        _ => mesh.Rabbit.Kill9Async(Cancel),
    }));

    static async Task RestartAsync(FaultyMesh mesh, string parts)
    {
        // All at once, in no order: the control service waits for its database by itself.
        if (parts.Contains("control", StringComparison.Ordinal))
        {
            mesh.Control.Start();
        }

        await Task.WhenAll(mesh.Postgres.StartAsync(Cancel), mesh.Rabbit.StartAsync(Cancel));
        await mesh.Control.ReadyAsync(Cancel);
    }
}
