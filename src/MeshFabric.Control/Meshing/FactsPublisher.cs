using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Messaging;
using MeshFabric.Control.Setup;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace MeshFabric.Control.Meshing;

/// <summary>Publishes what changed since the last published revision, once for all agents.</summary>
/// <remarks>
/// One replica does it: whoever holds the advisory lock. Level-triggered: woken by NOTIFY and once a second, it compares two numbers.
/// A crash between sending and noting repeats the message, which is harmless.
/// </remarks>
public sealed partial class FactsPublisher(IDbContextFactory<MeshDbContext> contexts, IOptions<DatabaseOptions> database, IAgentPost post, TimeProvider time, ILogger<FactsPublisher> log) : BackgroundService
{
    const long LeaderKey = 0x4d46_4641_4354_5331;
    static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await LeadAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogLost(log, e.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // The lock lives as long as this connection, and the same connection listens.
    async Task LeadAsync(CancellationToken cancellationToken)
    {
        var settings = new NpgsqlConnectionStringBuilder(database.Value.ConnectionString) { Pooling = false, KeepAlive = 5 };
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        while (!await TryLockAsync(connection, cancellationToken))
        {
            await Task.Delay(Pause, time, cancellationToken);
        }

        LogLeading(log);
        await using (var listen = new NpgsqlCommand($"LISTEN {MeshDbContext.FactsChannel}", connection))
        {
            await listen.ExecuteNonQueryAsync(cancellationToken);
        }

        while (true)
        {
            await PublishAsync(cancellationToken);
            await connection.WaitAsync(Poll, cancellationToken);
        }
    }

    static async Task<bool> TryLockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"SELECT pg_try_advisory_lock({LeaderKey})", connection);
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    /// <summary>Publishes once what is due; nothing when nothing is.</summary>
    public async Task PublishAsync(CancellationToken cancellationToken)
    {
        if (await PendingAsync(cancellationToken) is not { } change)
        {
            return;
        }

        try
        {
            await post.PublishFactsAsync(change, cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // The broker is away; the row still says that this is due.
            LogNotSent(log, change.ToRevision, e.Message);
            await Task.Delay(Pause, time, cancellationToken);
            return;
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db.Mesh.Where(m => m.PublishedRevision < change.ToRevision)
            .ExecuteUpdateAsync(m => m.SetProperty(r => r.PublishedRevision, change.ToRevision), cancellationToken);
        LogPublished(log, change.FromRevision, change.ToRevision, change.Changed.Count, change.RemovedClusterIds.Count);
    }

    async Task<FactsChanged?> PendingAsync(CancellationToken cancellationToken)
    {
        await using var outer = await contexts.CreateDbContextAsync(cancellationToken);
        return await outer.Database.CreateExecutionStrategy().ExecuteAsync(async token =>
        {
            await using var db = await contexts.CreateDbContextAsync(token);
            await using var transaction = await db.Database.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, token);
            return await PendingAsync(db, token);
        }, cancellationToken);
    }

    static async Task<FactsChanged?> PendingAsync(MeshDbContext db, CancellationToken cancellationToken)
    {
        var mesh = await db.Mesh.AsNoTracking().SingleAsync(cancellationToken);
        if (mesh.PublishedRevision >= mesh.Revision)
        {
            return null;
        }

        var changed = await FactsStore.Clusters(db).AsNoTracking().Where(c => c.FactsRevision > mesh.PublishedRevision).ToListAsync(cancellationToken);
        var removed = await db.Tombstones.AsNoTracking().Where(t => t.Revision > mesh.PublishedRevision).Select(t => t.ClusterId).ToListAsync(cancellationToken);
        return new FactsChanged(
            mesh.PublishedRevision,
            mesh.Revision,
            mesh.Settings,
            changed.Select(c => c.ToFacts()).OrderBy(c => c.Name, StringComparer.Ordinal).ToValueList(),
            removed.Order(StringComparer.Ordinal).ToValueList());
    }

    [LoggerMessage(1001, LogLevel.Information, "This replica publishes facts")]
    static partial void LogLeading(ILogger logger);

    [LoggerMessage(1002, LogLevel.Information, "Published facts {From} to {To}: {Changed} changed, {Removed} removed")]
    static partial void LogPublished(ILogger logger, long from, long to, int changed, int removed);

    [LoggerMessage(1003, LogLevel.Warning, "Facts {To} could not be sent and will be tried again: {Reason}")]
    static partial void LogNotSent(ILogger logger, long to, string reason);

    [LoggerMessage(1004, LogLevel.Warning, "The database connection of the publisher was lost: {Reason}")]
    static partial void LogLost(ILogger logger, string reason);
}
