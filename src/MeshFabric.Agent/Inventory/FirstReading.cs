using MeshFabric.Contracts.Files;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Agent.Inventory;

/// <summary>The inventory as it is now, or why it cannot be had.</summary>
static class FirstReading
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <exception cref="InventoryFileException">Nothing could be read within 30 s, or a failure lasted 5 s.</exception>
    public static async Task<ClusterInventory> OfAsync(IInventorySource source, string what, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        await using var readings = source.WatchAsync(limit.Token).GetAsyncEnumerator(limit.Token);
        var first = readings.MoveNextAsync().AsTask();
        var failing = TimeSpan.Zero;
        var step = TimeSpan.FromMilliseconds(100);
        while (await Task.WhenAny(first, Task.Delay(step, CancellationToken.None)) != first)
        {
            failing = source.Failure is null ? TimeSpan.Zero : failing + step;
            if (failing >= Patience || limit.IsCancellationRequested)
            {
                await limit.CancelAsync();
                await ((Task)first).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                break;
            }
        }

        return first.IsCompletedSuccessfully && first.Result
            ? readings.Current
            : throw new InventoryFileException($"the inventory cannot be read from {what}: {source.Failure ?? "no answer in time"}");
    }
}
