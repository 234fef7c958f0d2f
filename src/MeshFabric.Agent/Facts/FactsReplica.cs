using MeshFabric.Contracts.Messages;
using MeshFabric.Domain;
using MeshFabric.Net;

namespace MeshFabric.Agent.Facts;

public enum FactsOutcome
{
    /// <summary>The replica changed.</summary>
    Applied,

    /// <summary>Nothing new in it.</summary>
    Ignored,

    /// <summary>Something between is missing: ask for a snapshot.</summary>
    Gap,
}

/// <summary>The agent's copy of the facts. Pure: repeats, losses and reordering end in the sender's facts, given snapshots for gaps.</summary>
public sealed class FactsReplica(MeshFacts? known)
{
    /// <summary>Null before the first snapshot.</summary>
    public MeshFacts? Facts { get; private set; } = known;

    public long Revision => Facts?.Revision ?? 0;

    public FactsOutcome Apply(FactsSnapshot snapshot)
    {
        if (Facts is not null && snapshot.Facts.Revision < Facts.Revision)
        {
            return FactsOutcome.Ignored;
        }

        var changed = Facts != snapshot.Facts;
        Facts = snapshot.Facts;
        return changed ? FactsOutcome.Applied : FactsOutcome.Ignored;
    }

    public FactsOutcome Apply(FactsChanged change)
    {
        if (Facts is null || change.FromRevision > Facts.Revision)
        {
            return FactsOutcome.Gap;
        }

        if (change.ToRevision <= Facts.Revision)
        {
            return FactsOutcome.Ignored;
        }

        var clusters = Facts.Clusters.ToDictionary(c => c.Id);
        foreach (var cluster in change.Changed.Where(c => !clusters.TryGetValue(c.Id, out var has) || has.Revision < c.Revision))
        {
            clusters[cluster.Id] = cluster;
        }

        foreach (var removed in change.RemovedClusterIds)
        {
            clusters.Remove(removed);
        }

        Facts = new MeshFacts(change.ToRevision, change.Settings, clusters.Values.OrderBy(c => c.Name, StringComparer.Ordinal).ToValueList());
        return FactsOutcome.Applied;
    }
}
