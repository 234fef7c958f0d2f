using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Says once when a gateway's agent was not heard of for too long, and once when it is back.</summary>
public sealed partial class Liveness(IDbContextFactory<MeshDbContext> contexts, TimeProvider time, ILogger<Liveness> log) : BackgroundService
{
    /// <summary>Three heartbeats of 15 s.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(45);

    static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await CheckAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(log, e.Message);
            }
        }
    }

    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = time.GetUtcNow();
        var oldest = now - Limit;
        var changed = await db.Gateways.Include(g => g.Cluster)
            .Where(g => g.LastSeen != null && g.Reachable != (g.LastSeen >= oldest)).ToListAsync(cancellationToken);
        foreach (var gateway in changed)
        {
            // One replica wins; the others find nothing to change.
            var reachable = gateway.LastSeen >= oldest;
            var won = await db.Gateways.Where(g => g.Id == gateway.Id && g.Reachable != reachable)
                .ExecuteUpdateAsync(g => g.SetProperty(r => r.Reachable, reachable), cancellationToken);
            if (won == 1)
            {
                var name = $"{gateway.Cluster!.Name}/{gateway.Name}";
                db.Events.Add(reachable
                    ? new EventRow { At = now, Type = "gateway-reachable", Severity = "info", Subject = $"gateway/{name}", Actor = "system", Message = $"The agent of {name} reports again." }
                    : new EventRow { At = now, Type = "gateway-unreachable", Severity = "warning", Subject = $"gateway/{name}", Actor = "system", Message = $"The agent of {name} has not reported for {Limit.TotalSeconds:0} s; its tunnels go on without the control service." });
            }
        }

        await db.SaveChangesAsync(cancellationToken);
    }

    [LoggerMessage(1201, LogLevel.Warning, "Liveness could not be checked: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason);
}
