using MeshFabric.Domain.Clusters;

namespace MeshFabric.Agent.Inventory;

/// <summary>Where the agent learns about its own cluster: a file, or the Kubernetes API.</summary>
public interface IInventorySource
{
    /// <summary>The inventory now, and again whenever it changed; never ends before cancellation. A source that cannot be read is retried with backoff and said in the log, it does not end the stream.</summary>
    IAsyncEnumerable<ClusterInventory> WatchAsync(CancellationToken cancellationToken);
}
