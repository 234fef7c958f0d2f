using MeshFabric.Control.Messaging;
using MeshFabric.Persistence;
using MeshFabric.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Makes the broker's users those of the live gateways: at start, every minute, and when woken. Heals a broker that lost its database, and an agent that deleted its own queue.</summary>
public sealed partial class BrokerReconciler(IDbContextFactory<MeshDbContext> contexts, IServiceScopeFactory scopes, TimeProvider time, ILogger<BrokerReconciler> log) : BackgroundService
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(60);
    static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    // A new gateway is provisioned by its enrolment while its row is not committed yet: leave strangers a while before they are revoked.
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    readonly WakeSignal _signal = new();
    readonly Dictionary<string, long> _strangers = [];

    /// <summary>Look again soon.</summary>
    public void Wake() => _signal.Wake();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var next = Period;
            try
            {
                await ReconcileAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(log, e.Message);
                next = Retry;
            }

            await _signal.WaitAsync(_strangers.Count > 0 && next > Grace ? Grace : next, stoppingToken);
        }
    }

    public async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var broker = scope.ServiceProvider.GetRequiredService<IBrokerAdmin>();
        await broker.EnsureTopologyAsync(cancellationToken);
        var present = await broker.ListAsync(cancellationToken);
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var live = (await db.Gateways.Select(g => g.Id).ToListAsync(cancellationToken)).ToHashSet(StringComparer.Ordinal);
        foreach (var id in live.Where(id => !present.GetValueOrDefault(id)))
        {
            LogProvision(log, id);
            await broker.ProvisionAsync(id, cancellationToken);
        }

        var strangers = present.Keys.Except(live).ToList();
        foreach (var id in strangers)
        {
            if (!_strangers.TryGetValue(id, out var since))
            {
                _strangers[id] = time.GetTimestamp();
            }
            else if (time.GetElapsedTime(since) > Grace)
            {
                LogRevoke(log, id);
                await broker.RevokeAsync(id, cancellationToken);
                _strangers.Remove(id);
            }
        }

        foreach (var id in _strangers.Keys.Except(strangers).ToList())
        {
            _strangers.Remove(id);
        }
    }

    [LoggerMessage(1101, LogLevel.Information, "Provisioning gateway {GatewayId} on the broker")]
    static partial void LogProvision(ILogger logger, string gatewayId);

    [LoggerMessage(1102, LogLevel.Information, "Revoking {GatewayId} on the broker: no such gateway")]
    static partial void LogRevoke(ILogger logger, string gatewayId);

    [LoggerMessage(1103, LogLevel.Warning, "The broker could not be reconciled and will be tried again: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason);
}
