using MeshFabric.Contracts.Http;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;

namespace MeshFabric.Control.Meshing;

/// <summary>One end of a pair: a gateway and its cluster.</summary>
public sealed record GatewayOf(ClusterFacts Cluster, GatewayFacts Gateway)
{
    public string Name => $"{Cluster.Name}.{Gateway.Name}";
}

/// <summary>The tunnels that the facts want: every pair of gateways of clusters that the topology links.</summary>
public static class TunnelPairs
{
    /// <summary>Ordered by name, lazily: a mesh of a thousand clusters has millions.</summary>
    /// <param name="cluster">Only of this one; null: of all.</param>
    /// <param name="peer">And of those only with this one; null: with any.</param>
    public static IEnumerable<(GatewayOf A, GatewayOf B)> Of(MeshFacts facts, string? cluster = null, string? peer = null)
    {
        var graph = MeshGraph.Of(facts);
        var gateways = facts.Clusters.SelectMany(c => c.Gateways.Select(g => new GatewayOf(c, g))).OrderBy(g => g.Name, StringComparer.Ordinal).ToList();
        for (var i = 0; i < gateways.Count; i++)
        {
            var a = gateways[i];
            for (var j = i + 1; j < gateways.Count; j++)
            {
                var b = gateways[j];
                if (IsOf(cluster, a, b) && IsOf(peer, a, b) && graph.AreLinked(a.Cluster, b.Cluster) && MeshPlanner.HaveTunnel(a.Gateway, b.Gateway))
                {
                    yield return (a, b);
                }
            }
        }
    }

    static bool IsOf(string? cluster, GatewayOf a, GatewayOf b) => cluster is null || a.Cluster.Name == cluster || b.Cluster.Name == cluster;

    public static string NameOf(GatewayOf a, GatewayOf b) => $"{a.Name}--{b.Name}";

    /// <summary>How many tunnels a gateway should have.</summary>
    public static int Count(MeshFacts facts, MeshGraph graph, ClusterFacts cluster, GatewayFacts gateway) =>
        facts.Clusters.Where(c => graph.AreLinked(c, cluster)).Sum(c => gateway.IsHidden ? c.Gateways.Count(g => MeshPlanner.HaveTunnel(gateway, g)) : c.Gateways.Count);

    /// <summary>How many tunnels the gateways of a cluster should have together.</summary>
    public static long Count(MeshFacts facts, MeshGraph graph, ClusterFacts cluster)
    {
        var own = Ends.Of(cluster);
        return facts.Clusters.Where(c => graph.AreLinked(c, cluster)).Sum(c => Ends.Between(own, Ends.Of(c)));
    }

    /// <summary>How many tunnels two clusters have if they are linked.</summary>
    public static long Between(ClusterFacts a, ClusterFacts b) => Ends.Between(Ends.Of(a), Ends.Of(b));

    /// <summary>How many tunnels there should be in all, without listing them.</summary>
    public static long Count(MeshFacts facts, MeshGraph graph)
    {
        var ends = facts.Clusters.Select(c => (Cluster: c, Ends: Ends.Of(c))).ToList();
        return ends.Sum(a => ends.Where(b => graph.AreLinked(a.Cluster, b.Cluster)).Sum(b => Ends.Between(a.Ends, b.Ends))) / 2;
    }

    /// <summary>Of one cluster, counted once: a mesh of a thousand clusters has half a million pairs.</summary>
    readonly record struct Ends(long All, long Hidden, long HiddenEdges)
    {
        public static Ends Of(ClusterFacts cluster) => new(cluster.Gateways.Count, cluster.Gateways.Count(g => g.IsHidden), cluster.EdgeGateways.Count(g => g.IsHidden));

        // As MeshPlanner.HaveTunnel has it.
        public static long Between(Ends a, Ends b) => (a.All * b.All) - (a.Hidden * b.Hidden) + (a.HiddenEdges * b.HiddenEdges);
    }

    public static TunnelSpec Spec(GatewayOf a, GatewayOf b)
    {
        var aInitiates = MeshPlanner.Initiates(a.Gateway, b.Gateway);
        return new TunnelSpec(End(a, b, aInitiates), End(b, a, !aInitiates));
    }

    // The device of either end is named by the plane of the other.
    static TunnelEnd End(GatewayOf near, GatewayOf far, bool initiates) =>
        new(near.Cluster.Name, near.Gateway.Name, $"{MeshPlanner.DevicePrefix}{far.Gateway.Ordinal}", near.Gateway.PublicKey, initiates);
}
