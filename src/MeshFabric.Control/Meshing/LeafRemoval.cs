using MeshFabric.Contracts.Messages;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Removes leaves whose nodes are gone, and those that their clusters want no longer, once their agents have left.</summary>
/// <remarks>Level-triggered; every replica may do it at any time.</remarks>
public sealed partial class LeafRemoval(IDbContextFactory<MeshDbContext> contexts, FactsStore facts, CutOff cutOff, TimeProvider time, ILogger<LeafRemoval> log) : WokenReconciler(Period, TimeSpan.Zero, time)
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    protected override void Failed(string reason) => LogFailed(log, reason);

    public override async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var heardSince = Time.GetUtcNow() - Liveness.Limit;
        var clusters = await LeafChanges.WithLeaves(db.Clusters.AsNoTracking().Include(c => c.Gateways)).ToListAsync(cancellationToken);
        if (clusters.Exists(c => LeafChanges.Superfluous(c, heardSince).Any()))
        {
            var removed = await facts.ChangeAsync(change => LeafChanges.RemoveSuperfluousAsync(change, heardSince, cancellationToken), cancellationToken);
            await cutOff.RunAsync(removed, new LeaveMesh("This node's tunnels are wanted no longer."));
        }
    }

    [LoggerMessage(1731, LogLevel.Warning, "Superfluous leaves could not be removed and will be tried again: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason);
}
