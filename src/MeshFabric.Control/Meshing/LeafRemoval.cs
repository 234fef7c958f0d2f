using MeshFabric.Contracts.Messages;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Removes leaves that their clusters want no longer, once their agents have left.</summary>
/// <remarks>Level-triggered; every replica may do it at any time.</remarks>
public sealed partial class LeafRemoval(IDbContextFactory<MeshDbContext> contexts, FactsStore facts, CutOff cutOff, TimeProvider time, ILogger<LeafRemoval> log) : WokenReconciler(Period, TimeSpan.Zero, time)
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    protected override void Failed(string reason) => LogFailed(log, reason);

    public override async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var heardSince = Time.GetUtcNow() - Liveness.Limit;
        if (await LeafChanges.Unwanted(db.Clusters, heardSince).AnyAsync(cancellationToken))
        {
            var removed = await facts.ChangeAsync(change => LeafChanges.LeftAsync(change, heardSince, cancellationToken), cancellationToken);
            await cutOff.RunAsync(removed, new LeaveMesh("The tunnels of this cluster end at its gateways."));
        }
    }

    [LoggerMessage(1711, LogLevel.Warning, "Leaves that are wanted no longer could not be removed and will be tried again: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason);
}
