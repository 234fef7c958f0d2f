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
        var row = await FactsStore.Clusters(change.Db).SingleOrDefaultAsync(c => c.Name == name, cancellationToken) ?? throw Refusal.NotFound("cluster", name);
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
        change.Audit(caller, "cluster.update", $"cluster/{name}", Text(before), Text(granularity));
        return true;

        static string Text(Granularity granularity) => $"{{\"granularity\":\"{granularity.ToString().ToLowerInvariant()}\"}}";
    }

    /// <summary>Refuses a leaf that its cluster does not want, or that is one too many.</summary>
    public static void Check(ClusterRow cluster, GatewayRequest request)
    {
        if (cluster.Granularity != Granularity.Node)
        {
            throw Refusal.Conflict("leaves-not-wanted", $"The tunnels of {cluster.Name} end at its gateways. To have its nodes end them themselves: mfctl cluster set {cluster.Name} --granularity node");
        }

        if (cluster.Gateways.Count(g => g.IsLeaf && g.Name != request.Name) >= GatewayFacts.MaxLeavesPerCluster)
        {
            throw Refusal.Conflict("too-many-leaves", $"Cluster {cluster.Name} has {GatewayFacts.MaxLeavesPerCluster} leaves already, which is the most there can be; node {request.Node} goes on by the cluster's gateways.");
        }
    }

    /// <summary>A node that is a gateway now is a leaf no longer.</summary>
    /// <returns>Ids of those that are cut off.</returns>
    public static Task<IReadOnlyList<string>> BecameGatewayAsync(FactsChange change, ClusterRow cluster, string node, CancellationToken cancellationToken) =>
        RemoveAsync(change, cluster, cluster.Gateways.FindAll(g => g.IsLeaf && node.Length > 0 && g.Node == node), g => $"its node {g.Node} is a gateway now", cancellationToken);

    /// <summary>Of nodes that the cluster has no longer.</summary>
    public static Task<IReadOnlyList<string>> NodesGoneAsync(FactsChange change, ClusterRow cluster, CancellationToken cancellationToken) => RemoveAsync(
        change, cluster, cluster.Nodes.Count == 0 ? [] : cluster.Gateways.FindAll(g => g.IsLeaf && !cluster.Nodes.Any(n => n.Name == g.Node)), g => $"its node {g.Node} is gone", cancellationToken);

    /// <summary>Those that clusters want no longer and that have left: their agents take leave by themselves, once nobody sends to them.</summary>
    /// <param name="heardSince">Who was heard of after this has not left yet.</param>
    public static async Task<IReadOnlyList<string>> LeftAsync(FactsChange change, DateTimeOffset heardSince, CancellationToken cancellationToken)
    {
        var removed = new List<string>();
        foreach (var cluster in await Unwanted(FactsStore.Clusters(change.Db), heardSince).ToListAsync(cancellationToken))
        {
            removed.AddRange(await RemoveAsync(change, cluster, cluster.Gateways.FindAll(g => g.IsLeaf && (g.LastSeen ?? g.CreatedAt) < heardSince), _ => "its cluster wants no leaves", cancellationToken));
        }

        return removed;
    }

    /// <summary>Clusters with leaves for <see cref="LeftAsync"/>.</summary>
    public static IQueryable<ClusterRow> Unwanted(IQueryable<ClusterRow> clusters, DateTimeOffset heardSince) =>
        clusters.Where(c => c.Granularity == Granularity.Gateway && c.Gateways.Any(g => g.Ordinal == GatewayFacts.LeafOrdinal && (g.LastSeen ?? g.CreatedAt) < heardSince));

    static async Task<IReadOnlyList<string>> RemoveAsync(FactsChange change, ClusterRow cluster, List<GatewayRow> leaves, Func<GatewayRow, string> why, CancellationToken cancellationToken)
    {
        foreach (var leaf in leaves)
        {
            change.Event("leaf-removed", "info", $"gateway/{cluster.Name}/{leaf.Name}", "system", $"Leaf {leaf.Name} of {cluster.Name} was removed: {why(leaf)}.");
            await change.RemoveAsync(cluster, leaf, cancellationToken);
        }

        return leaves.ConvertAll(l => l.Id);
    }
}
