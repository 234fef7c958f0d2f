using System.Collections.Concurrent;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain;
using MeshFabric.Schema;
using MeshFabric.Server.Tests.Control;
using MeshFabric.Server.Tests.Messaging;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit.Services;
using Npgsql;

namespace MeshFabric.Server.Tests.Faults;

/// <summary>A control service as a process, a PostgreSQL of its own, the shared RabbitMQ, two agents; everything may be killed.</summary>
public sealed class FaultyMesh : IAsyncDisposable
{
    readonly List<FakeAgent> _agents = [];

    FaultyMesh(PrivatePostgres postgres, PrivateRabbit rabbit, ControlSettings settings)
    {
        Postgres = postgres;
        Rabbit = rabbit;
        Settings = settings;
        Control = new ControlProcess(settings);
    }

    public PrivatePostgres Postgres { get; }
    public PrivateRabbit Rabbit { get; }
    public ControlSettings Settings { get; }
    public ControlProcess Control { get; }
    public IReadOnlyList<FakeAgent> Agents => _agents;

    /// <summary>Names of clusters whose creation was confirmed.</summary>
    public ConcurrentQueue<string> Created { get; } = [];

    public static async Task<FaultyMesh> StartAsync(RabbitServer rabbit, CancellationToken cancellationToken)
    {
        var directory = Path.Combine(Path.GetTempPath(), "mf-pg-" + Path.GetRandomFileName());
        var postgres = await PrivatePostgres.StartAsync(new PrivatePostgresOptions(directory) { Port = FreePorts.Take(1)[0] }, cancellationToken);
        var database = postgres.ConnectionString("meshfabric");
        await SchemaChanges.ApplyAsync(new NpgsqlConnectionStringBuilder(database) { Pooling = false }.ConnectionString, null, cancellationToken);
        var mesh = new FaultyMesh(postgres, rabbit.Server, await ControlSettings.MakeAsync(database, rabbit, cancellationToken));
        mesh.Control.Start();
        await mesh.Control.ReadyAsync(cancellationToken);
        foreach (var (name, cidr) in new[] { ("aurora", "10.10.0.0/16"), ("borealis", "10.20.0.0/16") })
        {
            mesh._agents.Add(await FakeAgent.StartAsync(await TestAgent.JoinAsync(mesh.Settings, name, "gw1", cidr, cancellationToken), cancellationToken));
        }

        return mesh;
    }

    /// <summary>Creates clusters one after the other, as fast as they are confirmed; goes on through refusals.</summary>
    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        using var api = Settings.Client();
        for (var i = 0; !cancellationToken.IsCancellationRequested; i++)
        {
            var name = $"c-{i}";
            try
            {
                await api.CreateClusterAsync(new CreateCluster(name, null, new CreateClusterSpec("site", null, null, null, [$"10.{100 + (i / 256)}.{i % 256}.0/24"], null)), cancellationToken);
                Created.Enqueue(name);
            }
            catch (Exception e) when (e is MeshApiException or MeshUnreachableException or OperationCanceledException)
            {
                // Refused, or not known whether it was done; either is right, only a confirmed one must not be lost.
            }

            await Task.Delay(20, CancellationToken.None);
        }
    }

    public async Task<MeshFacts> FactsAsync(CancellationToken cancellationToken)
    {
        await using var db = PostgresServer.Open(Settings.Database);
        return await FactsStore.LoadAsync(db, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var agent in _agents)
        {
            await agent.DisposeAsync();
        }

        await Control.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        // It is shared, and a test that failed may have left it dead.
        await Rabbit.StartAsync(CancellationToken.None);
        await Settings.DisposeAsync();
        await Postgres.DeleteAsync(CancellationToken.None);
    }
}
