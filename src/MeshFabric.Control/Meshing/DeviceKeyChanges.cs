using System.Collections.Concurrent;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Messaging;
using MeshFabric.Control.Setup;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Meshing;

/// <summary>Does what <see cref="KeyChangePlan"/> says, and asks for new keys by the calendar.</summary>
public sealed partial class DeviceKeyChanges(
    IDbContextFactory<MeshDbContext> contexts, FactsStore facts, IAgentPost post, IOptions<KeysOptions> options, TimeProvider time, ILogger<DeviceKeyChanges> log) : WokenReconciler(Idle, Pause, time)
{
    static readonly TimeSpan Idle = TimeSpan.FromSeconds(5);

    // While a key changes: some steps wait for nothing but time.
    static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    // It answers with a heartbeat at once.
    static readonly TimeSpan Again = TimeSpan.FromSeconds(15);

    readonly ConcurrentDictionary<string, DateTimeOffset> _asked = [];

    protected override void Failed(string reason) => LogFailed(log, reason);

    public override async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await ScheduleAsync(db, cancellationToken);
        if (!await db.Gateways.AnyAsync(g => g.KeyAskedAt != null || g.KeyChangeAt != null, cancellationToken))
        {
            _asked.Clear();
            Every = Idle;
            return;
        }

        Every = Busy;
        var steps = KeyChangePlan.Next(await GatewaysAsync(db, cancellationToken), Time.GetUtcNow());
        foreach (var ask in steps.OfType<KeyChangeStep.Ask>())
        {
            await AskAsync(ask.Gateway, cancellationToken);
        }

        if (steps.Any(s => s is not KeyChangeStep.Ask))
        {
            // Decided anew under the lock: another replica may have done it meanwhile.
            await facts.ChangeAsync(async change =>
            {
                foreach (var step in KeyChangePlan.Next(await GatewaysAsync(change.Db, cancellationToken), change.Now))
                {
                    await ApplyAsync(change, step, cancellationToken);
                }

                return true;
            }, cancellationToken);
            // The next step may be due already.
            Wake();
        }
    }

    /// <summary>Wants another key of each of these gateways.</summary>
    public static void Want(FactsChange change, IEnumerable<GatewayRow> gateways, string actor)
    {
        foreach (var gateway in gateways.Where(g => g.KeyAskedAt is null))
        {
            (gateway.KeyAskedAt, gateway.KeyAskedBy) = (change.Now, actor);
        }
    }

    async Task ScheduleAsync(MeshDbContext db, CancellationToken cancellationToken)
    {
        if (options.Value.DeviceRotationDays > 0)
        {
            var now = Time.GetUtcNow();
            var oldest = now - TimeSpan.FromDays(options.Value.DeviceRotationDays);
            // An agent that says nothing of keys knows nothing of changing them.
            await db.Gateways.Where(g => g.KeyAskedAt == null && g.KeyChangeAt == null && g.UsedKey != null && (g.KeySince ?? g.CreatedAt) < oldest)
                .ExecuteUpdateAsync(g => g.SetProperty(r => r.KeyAskedAt, now).SetProperty(r => r.KeyAskedBy, "system"), cancellationToken);
        }
    }

    async Task<List<KeyChangeGateway>> GatewaysAsync(MeshDbContext db, CancellationToken cancellationToken)
    {
        var rows = await db.Gateways.AsNoTracking().Select(g => new
        {
            g.Id,
            g.ClusterId,
            g.Ordinal,
            Cluster = g.Cluster!.Name,
            g.Name,
            g.KeyAskedAt,
            g.KeyChangeAt,
            g.KeyChangeRevision,
            g.PublicKey,
            g.NextKey,
            g.ChangesKey,
            g.UsedKey,
            g.OfferedKey,
            g.LastSeen,
            g.AppliedRevision,
        }).ToListAsync(cancellationToken);
        var concerned = rows.Where(r => r.KeyAskedAt is not null || r.KeyChangeAt is not null).Select(r => r.ClusterId).ToHashSet(StringComparer.Ordinal);
        var ids = rows.ToDictionary(r => (r.Cluster, r.Name), r => r.Id);
        var near = rows.Where(r => concerned.Contains(r.ClusterId)).Select(r => r.Id).ToList();
        var tunnels = (await db.TunnelReports.AsNoTracking().Where(t => near.Contains(t.GatewayId) && t.State == TunnelState.Connected).Select(t => new { t.GatewayId, t.PeerCluster, t.PeerGateway }).ToListAsync(cancellationToken))
            .ToLookup(t => t.GatewayId, t => ids.GetValueOrDefault((t.PeerCluster, t.PeerGateway)));
        var oldest = Time.GetUtcNow() - Liveness.Limit;
        return rows.Select(r => new KeyChangeGateway(
            r.Id, r.ClusterId, r.KeyAskedAt, r.KeyChangeAt, r.KeyChangeRevision, r.PublicKey, r.NextKey, r.ChangesKey, r.UsedKey, r.OfferedKey,
            r.LastSeen >= oldest, r.AppliedRevision, tunnels[r.Id].OfType<string>().ToHashSet(StringComparer.Ordinal))
        {
            IsLeaf = r.Ordinal == GatewayFacts.LeafOrdinal,
        }).ToList();
    }

    async Task AskAsync(string gateway, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        if (_asked.TryGetValue(gateway, out var last) && now - last < Again)
        {
            return;
        }

        _asked[gateway] = now;
        try
        {
            await post.SendAsync(gateway, new OfferDeviceKey(), cancellationToken);
        }
        catch (Exception e) when (e is not (OperationCanceledException or TimeoutException))
        {
            LogNotAsked(log, gateway, e.Message);
        }
    }

    static async Task ApplyAsync(FactsChange change, KeyChangeStep step, CancellationToken cancellationToken)
    {
        if (step is KeyChangeStep.Ask || await change.Db.Gateways.Include(g => g.Cluster).SingleOrDefaultAsync(g => g.Id == step.Gateway, cancellationToken) is not { } gateway)
        {
            return;
        }

        var name = $"{gateway.Cluster!.Name}/{gateway.Name}";
        switch (step)
        {
            case KeyChangeStep.Begin:
                gateway.KeyChangeAt = change.Now;
                break;
            case KeyChangeStep.Stage stage:
                gateway.NextKey = stage.Key;
                break;
            case KeyChangeStep.Change:
                gateway.ChangesKey = true;
                break;
            case KeyChangeStep.Settle:
                (gateway.PublicKey, gateway.KeySince) = (gateway.NextKey!, change.Now);
                (gateway.NextKey, gateway.ChangesKey, gateway.KeyAskedAt) = (null, false, null);
                change.Event("device-key-changed", "info", $"gateway/{name}", gateway.KeyAskedBy, $"Gateway {name} has another device key.");
                break;
            case KeyChangeStep.End:
                gateway.KeyChangeAt = null;
                break;
            case KeyChangeStep.GiveUp given:
                (gateway.NextKey, gateway.ChangesKey, gateway.KeyAskedAt, gateway.KeyChangeAt) = (null, false, null, null);
                // Not at once again, by the calendar.
                gateway.KeySince = change.Now;
                change.Event("device-key-not-changed", "warning", $"gateway/{name}", gateway.KeyAskedBy, $"Gateway {name} stays with the device key that it has: {given.Reason}.");
                break;
        }

        gateway.KeyChangeRevision = change.Revision;
        change.Touch(gateway.Cluster);
    }

    [LoggerMessage(1721, LogLevel.Warning, "Gateway {GatewayId} could not be asked for another key: {Reason}")]
    static partial void LogNotAsked(ILogger logger, string gatewayId, string reason);

    [LoggerMessage(1720, LogLevel.Warning, "Device keys could not be looked after and will be tried again: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason);
}
