using MeshFabric.Control.Api;
using MeshFabric.Domain.Clusters;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>What happens to the leaves of clusters, each inside a <see cref="FactsChange"/>.</summary>
public static class LeafChanges
{
    /// <summary>Declares where a cluster's tunnels end. Its agents follow by themselves.</summary>
    /// <returns>True when it is another granularity now.</returns>
    public static async Task<bool> SetGranularityAsync(FactsChange change, string name, Granularity granularity, Caller caller, CancellationToken cancellationToken)
    {
        var row = await change.ClusterAsync(name, cancellationToken);
        if (row.Kind != ClusterKind.Kubernetes && granularity == Granularity.Node)
        {
            throw Refusal.Conflict("cluster-without-nodes", $"Cluster {name} is a {row.Kind.ToString().ToLowerInvariant()}: only the nodes of a cluster of kind kubernetes can end tunnels themselves.");
        }

        if (row.Granularity == granularity)
        {
            return false;
        }

        var before = row.Granularity;
        row.Granularity = granularity;
        change.Touch(row);
        change.Event("cluster-changed", "info", $"cluster/{name}", caller.Actor, granularity == Granularity.Node
            ? $"The tunnels of {name} end on each of its nodes."
            : $"The tunnels of {name} end at its gateways; its leaves leave.");
        change.Audit(caller, "cluster.update", $"cluster/{name}", FactsChange.Json(new { granularity = before }), FactsChange.Json(new { granularity }));
        return true;
    }

    /// <summary>Refuses a leaf that its cluster does not want, or that is one too many.</summary>
    public static void Check(ClusterRow cluster, GatewayRequest request)
    {
        if (cluster.Granularity != Granularity.Node)
        {
            throw Refusal.Conflict("leaves-not-wanted", $"The tunnels of {cluster.Name} end at its gateways. To have its nodes end them themselves: mfctl cluster set {cluster.Name} --granularity node");
        }

        // Its agent asks again; by then the cluster's gateways have told of a node that is new.
        if (cluster.Nodes.Count > 0 && !cluster.Nodes.Any(n => n.Name == request.Node))
        {
            throw Refusal.Conflict("node-unknown", $"The inventory of {cluster.Name} has no node {request.Node} (yet): its gateways report it.");
        }

        if (cluster.Gateways.Count(g => g.IsLeaf && g.Name != request.Name) >= GatewayFacts.MaxLeavesPerCluster)
        {
            throw Refusal.Conflict("too-many-leaves", $"Cluster {cluster.Name} has {GatewayFacts.MaxLeavesPerCluster} leaves already, which is the most there can be; node {request.Node} goes on by the cluster's gateways.");
        }
    }

    /// <summary>A node that is a gateway now is a leaf no longer.</summary>
    /// <returns>Ids of those that are cut off.</returns>
    public static Task<IReadOnlyList<string>> BecameGatewayAsync(FactsChange change, ClusterRow cluster, string node, CancellationToken cancellationToken) =>
        RemoveAsync(change, cluster, cluster.Gateways.Where(g => g.IsLeaf && node.Length > 0 && g.Node == node).Select(g => (g, $"its node {node} is a gateway now")), cancellationToken);

    /// <summary>Removes what <see cref="Superfluous"/> says.</summary>
    /// <returns>Ids of those that are cut off.</returns>
    public static async Task<IReadOnlyList<string>> RemoveSuperfluousAsync(FactsChange change, DateTimeOffset heardSince, CancellationToken cancellationToken)
    {
        var removed = new List<string>();
        foreach (var cluster in await WithLeaves(FactsStore.Clusters(change.Db)).ToListAsync(cancellationToken))
        {
            removed.AddRange(await RemoveAsync(change, cluster, Superfluous(cluster, heardSince), cancellationToken));
        }

        return removed;
    }

    public static IQueryable<ClusterRow> WithLeaves(IQueryable<ClusterRow> clusters) => clusters.Where(c => c.Gateways.Any(g => g.Ordinal == GatewayFacts.LeafOrdinal));

    /// <summary>Leaves of nodes that the cluster has no longer; and those that it wants no longer, once they have left: their agents take leave by themselves, when nobody sends to them any more. With the reason.</summary>
    /// <param name="heardSince">Who was heard of after this has not left yet.</param>
    public static IEnumerable<(GatewayRow Leaf, string Why)> Superfluous(ClusterRow cluster, DateTimeOffset heardSince)
    {
        foreach (var leaf in cluster.Gateways.Where(g => g.IsLeaf))
        {
            if (cluster.Nodes.Count > 0 && !cluster.Nodes.Any(n => n.Name == leaf.Node))
            {
                yield return (leaf, $"its node {leaf.Node} is gone");
            }
            else if (cluster.Granularity == Granularity.Gateway && (leaf.LastSeen ?? leaf.CreatedAt) < heardSince)
            {
                yield return (leaf, "its cluster wants no leaves");
            }
        }
    }

    static async Task<IReadOnlyList<string>> RemoveAsync(FactsChange change, ClusterRow cluster, IEnumerable<(GatewayRow Leaf, string Why)> leaves, CancellationToken cancellationToken)
    {
        var removed = new List<string>();
        foreach (var (leaf, why) in leaves.ToList())
        {
            change.Event("leaf-removed", "info", $"gateway/{cluster.Name}/{leaf.Name}", "system", $"Leaf {leaf.Name} of {cluster.Name} was removed: {why}.");
            await change.RemoveAsync(cluster, leaf, cancellationToken);
            removed.Add(leaf.Id);
        }

        return removed;
    }
}
