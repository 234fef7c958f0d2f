using MeshFabric.Contracts.Http;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;

namespace MeshFabric.Control.Meshing;

/// <summary>A topology as the API shows it, and what another one changes. Pure.</summary>
public static class TopologyView
{
    public static TopologyResource Of(MeshFacts facts)
    {
        var graph = MeshGraph.Of(facts);
        return new TopologyResource(
            new Metadata(TopologyResource.TheName, TopologyResource.TheName, $"{facts.Revision}", default, new Dictionary<string, string>()),
            SpecOf(facts.Settings.Topology ?? Topology.FullMesh),
            new TopologyStatus(facts.Revision, TunnelPairs.Count(facts), facts.Clusters.Select(c => Show(c, facts, graph)).ToList()));
    }

    public static TopologySpec SpecOf(Topology topology)
    {
        var hubs = topology.Kind is TopologyKind.HubAndSpoke or TopologyKind.Regions;
        return new TopologySpec(
            NameOf(topology.Kind),
            hubs ? $"{topology.Hubs}" : null,
            topology.Kind == TopologyKind.Regions ? topology.RegionLabel : null,
            hubs ? topology.Transit : null,
            topology.Kind == TopologyKind.Pairs ? topology.Pairs.Select(p => new TopologyPair($"{p.Between}", $"{p.And}")).ToList() : null);
    }

    static string NameOf(TopologyKind kind) => kind switch
    {
        TopologyKind.HubAndSpoke => "hub-and-spoke",
        TopologyKind.Regions => "regions",
        TopologyKind.Pairs => "pairs",
        _ => "full-mesh",
    };

    static TopologyCluster Show(ClusterFacts cluster, MeshFacts facts, MeshGraph graph)
    {
        var others = facts.Clusters.Where(c => c.Id != cluster.Id).ToList();
        var linked = others.Count(c => graph.AreLinked(cluster, c));
        var unreached = others.Where(c => !graph.AreConnected(cluster, c)).Select(c => c.Name).Order(StringComparer.Ordinal).ToList();
        var role = facts.Settings.Topology?.Kind is not (TopologyKind.HubAndSpoke or TopologyKind.Regions) ? "peer" : graph.IsHub(cluster) ? "hub" : "spoke";
        return new TopologyCluster(cluster.Name, role, graph.RegionOf(cluster), linked, others.Count - linked - unreached.Count, unreached);
    }

    public static TopologyDifference Between(MeshFacts before, MeshFacts after)
    {
        var (had, has) = (Tunnels(before), Tunnels(after));
        var (appear, go) = (has.Except(had).Order(StringComparer.Ordinal).ToList(), had.Except(has).Order(StringComparer.Ordinal).ToList());
        return new TopologyDifference(had.Count, has.Count, appear.Count, go.Count, appear.Take(TopologyDifference.Most).ToList(), go.Take(TopologyDifference.Most).ToList(),
            Paths(before, after).Take(TopologyDifference.Most).ToList());
    }

    static HashSet<string> Tunnels(MeshFacts facts) => TunnelPairs.Of(facts).Select(p => TunnelPairs.NameOf(p.A, p.B)).ToHashSet(StringComparer.Ordinal);

    static IEnumerable<PathDifference> Paths(MeshFacts before, MeshFacts after)
    {
        var (was, willBe) = (MeshGraph.Of(before), MeshGraph.Of(after));
        var known = before.Clusters.ToDictionary(c => c.Id);
        var clusters = after.Clusters.Where(c => known.ContainsKey(c.Id)).OrderBy(c => c.Name, StringComparer.Ordinal).ToList();
        for (var i = 0; i < clusters.Count; i++)
        {
            for (var j = i + 1; j < clusters.Count; j++)
            {
                var (a, b) = (clusters[i], clusters[j]);
                var (first, then) = (Way(was, known[a.Id], known[b.Id]), Way(willBe, a, b));
                if (first != then)
                {
                    yield return new PathDifference(a.Name, b.Name, first, then);
                }
            }
        }
    }

    static string Way(MeshGraph graph, ClusterFacts a, ClusterFacts b) => graph.AreLinked(a, b) ? "direct"
        : graph.AreConnected(a, b) ? $"by {string.Join(", ", graph.Between(a, b).Select(h => h.Name).Order(StringComparer.Ordinal))}"
        : "none";
}
