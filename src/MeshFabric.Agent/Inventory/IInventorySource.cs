using MeshFabric.Domain.Clusters;

namespace MeshFabric.Agent.Inventory;

/// <summary>Where the agent learns about its own cluster: a file, or the Kubernetes API.</summary>
public interface IInventorySource : IDisposable
{
    /// <summary>Why it cannot be read now, in words for a person; null while it can.</summary>
    string? Failure { get; }

    /// <summary>The inventory now, and again whenever it changed; never ends before cancellation. A source that cannot be read is retried with backoff and said in the log, it does not end the stream.</summary>
    IAsyncEnumerable<ClusterInventory> WatchAsync(CancellationToken cancellationToken);
}
