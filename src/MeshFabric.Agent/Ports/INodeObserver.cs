using MeshFabric.Domain.Clusters;

namespace MeshFabric.Agent.Ports;

/// <summary>What this host shows of its CNI plug-in. Changes nothing.</summary>
public interface INodeObserver
{
    /// <summary>As it is now; what cannot be read is said in <see cref="NodeObservation.Unread"/>.</summary>
    Task<NodeObservation> ObserveAsync(CancellationToken cancellationToken);
}
