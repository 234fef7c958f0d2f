using MeshFabric.Contracts.Http;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Control.Meshing;

/// <summary>A topology as the API shows it, and what another one changes. Pure.</summary>
public static class TopologyView
{
    /// <param name="warnings">Of what the facts do not tell.</param>
    public static TopologyResource Of(MeshFacts facts, IReadOnlyList<string> warnings)
    {
        var graph = MeshGraph.Of(facts);
        return new TopologyResource(
            new Metadata(TopologyResource.TheName, TopologyResource.TheName, $"{facts.Revision}", default, new Dictionary<string, string>()),
            SpecOf(facts.Settings.Topology ?? Topology.FullMesh),
            new TopologyStatus(facts.Revision, TunnelPairs.Count(facts, graph), facts.Clusters.Select(c => Show(c, facts, graph)).ToList()) { Warnings = [.. Warnings(facts), .. warnings] });
    }

    public static TopologySpec SpecOf(Topology topology)
    {
        return new TopologySpec(
            NameOf(topology.Kind),
            topology.HasHubs ? $"{topology.Hubs}" : null,
            topology.Kind == TopologyKind.Regions ? topology.RegionLabel : null,
            topology.HasHubs ? topology.Transit : null,
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
        var unreached = others.Where(c => !graph.AreConnected(cluster, c)).ToList();
        var role = facts.Settings.Topology is not { HasHubs: true } ? "peer" : graph.IsHub(cluster) ? "hub" : "spoke";
        return new TopologyCluster(cluster.Name, role, graph.RegionOf(cluster), linked, others.Count - linked - unreached.Count, unreached.Count,
            unreached.Select(c => c.Name).Order(StringComparer.Ordinal).Take(TopologyCluster.MostNames).ToList());
    }

    /// <summary>What is probably not meant.</summary>
    public static IReadOnlyList<string> Warnings(MeshFacts facts)
    {
        if (facts.Settings.Topology is not { HasHubs: true } topology)
        {
            return [];
        }

        var graph = MeshGraph.Of(facts);
        var hubs = facts.Clusters.Where(graph.IsHub).ToList();
        var warnings = new List<string>();
        if (hubs.Count == 0)
        {
            warnings.Add($"No cluster is a hub: none has the declared labels '{topology.Hubs}'.");
        }

        warnings.AddRange(hubs.Where(h => !h.EdgeGateways.Any()).Select(h => $"The hub {h.Name} has no gateway."));
        if (topology is { Kind: TopologyKind.Regions, Transit: true })
        {
            warnings.AddRange(facts.Clusters.GroupBy(graph.RegionOf).Where(r => !r.Any(graph.IsHub)).OrderBy(r => r.Key, StringComparer.Ordinal)
                .Select(r => r.Key.Length > 0 ? $"The region {r.Key} has no hub: its clusters reach each other only." : $"No region is declared for {string.Join(", ", r.Select(c => c.Name).Order(StringComparer.Ordinal).Take(TopologyCluster.MostNames))} (label {topology.RegionLabel})."));
        }

        HubOrdinals.Changes(graph, new HashSet<string>(), out var excess);
        warnings.AddRange(excess.Select(g => $"The hubs {string.Join(", ", g.Select(c => c.Name))} have more than {GatewayFacts.MaxPerCluster} gateways together: some of them hand nothing on."));
        return warnings;
    }

    public static TopologyDifference Between(MeshFacts before, MeshFacts after) => new Comparison(before, after).Result();

    /// <summary>By pairs of clusters, of which there are far fewer than tunnels; names only as many as are shown.</summary>
    sealed class Comparison(MeshFacts before, MeshFacts after)
    {
        readonly MeshGraph _was = MeshGraph.Of(before), _is = MeshGraph.Of(after);
        readonly List<string> _appear = [], _go = [], _reconnect = [];
        readonly List<PathDifference> _paths = [];
        long _had, _has, _appearing, _going, _reconnecting;

        public TopologyDifference Result()
        {
            if (before.Settings.Topology == after.Settings.Topology && before.Clusters.Select(Shape).SequenceEqual(after.Clusters.Select(Shape)))
            {
                (_had, _has) = (TunnelPairs.Count(before, _was), TunnelPairs.Count(after, _is));
                return Told();
            }

            var known = before.Clusters.ToDictionary(c => c.Id);
            var clusters = after.Clusters.Where(c => known.ContainsKey(c.Id)).OrderBy(c => c.Name, StringComparer.Ordinal).ToList();
            for (var i = 0; i < clusters.Count; i++)
            {
                for (var j = i + 1; j < clusters.Count; j++)
                {
                    Compare(known[clusters[i].Id], known[clusters[j].Id], clusters[i], clusters[j]);
                }
            }

            return Told();
        }

        TopologyDifference Told() => new(_had, _has, _appearing, _going, _reconnecting, _appear, _go, _reconnect, _paths);

        // All that matters here.
        static (string Id, ValueList<Label> Declared, ValueList<int> Numbers) Shape(ClusterFacts cluster) => (cluster.Id, cluster.Declared, cluster.Gateways.Select(g => g.Ordinal).ToValueList());

        void Compare(ClusterFacts a, ClusterFacts b, ClusterFacts aNow, ClusterFacts bNow)
        {
            var (had, has) = (_was.AreLinked(a, b), _is.AreLinked(aNow, bNow));
            var tunnels = TunnelPairs.Between(aNow, bNow);
            _had += had ? tunnels : 0;
            _has += has ? tunnels : 0;
            if (had != has)
            {
                _ = has ? _appearing += tunnels : _going += tunnels;
                Name(has ? _appear : _go, Pairs(aNow, bNow));
            }
            else if (has && (Renumbered(a, aNow) || Renumbered(b, bNow)))
            {
                var moved = Pairs(aNow, bNow).Where(p => NumberOf(a, p.A) != p.A.Gateway.Ordinal || NumberOf(b, p.B) != p.B.Gateway.Ordinal).ToList();
                _reconnecting += moved.Count;
                Name(_reconnect, moved);
            }

            if (!(had && has) && _paths.Count < TopologyDifference.Most && (Way(_was, a, b), Way(_is, aNow, bNow)) is var (first, then) && first != then)
            {
                _paths.Add(new PathDifference(aNow.Name, bNow.Name, first, then));
            }
        }

        static bool Renumbered(ClusterFacts was, ClusterFacts isNow) => was.Gateways.Any(g => isNow.Gateways.Any(n => n.Id == g.Id && n.Ordinal != g.Ordinal));

        static int NumberOf(ClusterFacts was, GatewayOf gateway) => was.Gateways.FirstOrDefault(g => g.Id == gateway.Gateway.Id)?.Ordinal ?? gateway.Gateway.Ordinal;

        static IEnumerable<(GatewayOf A, GatewayOf B)> Pairs(ClusterFacts a, ClusterFacts b) => a.Gateways.SelectMany(x => b.Gateways.Where(y => MeshPlanner.HaveTunnel(x, y)).Select(y => (new GatewayOf(a, x), new GatewayOf(b, y))));

        static void Name(List<string> names, IEnumerable<(GatewayOf A, GatewayOf B)> pairs)
        {
            if (names.Count < TopologyDifference.Most)
            {
                names.AddRange(pairs.Take(TopologyDifference.Most - names.Count).Select(p => TunnelPairs.NameOf(p.A, p.B)));
            }
        }
    }

    static string Way(MeshGraph graph, ClusterFacts a, ClusterFacts b) => graph.AreLinked(a, b) ? "direct"
        : graph.AreConnected(a, b) ? $"by {string.Join(", ", graph.Between(a, b).Select(h => h.Name).Order(StringComparer.Ordinal))}{Addressed(graph, a, b)}{Addressed(graph, b, a)}"
        : "none";

    // Only what is not as for somebody with a tunnel: it changes with the way.
    static string Addressed(MeshGraph graph, ClusterFacts near, ClusterFacts far) => string.Concat(far.Prefixes
        .Select(p => (Usual: p.SeenBy(near.Prefixes), Now: graph.SeenBy(near, far, p))).Where(p => p.Usual != p.Now)
        .Select(p => $"; {near.Name} addresses {far.Name} by {p.Now?.ToString() ?? "nothing"} instead of {p.Usual}"));
}
