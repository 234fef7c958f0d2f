using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Inventory;

/// <summary>What the agents of a cluster's nodes saw there.</summary>
public interface INodeObservations
{
    /// <summary>By node name, as known now; lacks nodes whose agent has not told yet.</summary>
    IReadOnlyDictionary<string, NodeObservation> Current { get; }

    /// <summary>As of <see cref="ClusterInventory.Beacons"/>; null while nothing is known.</summary>
    ValueList<Cidr>? Beacons => null;
}

/// <summary>An agent outside the cluster hears of none.</summary>
public sealed class NoObservations : INodeObservations
{
    public static readonly NoObservations Instance = new();

    public IReadOnlyDictionary<string, NodeObservation> Current { get; } = new Dictionary<string, NodeObservation>();
}
