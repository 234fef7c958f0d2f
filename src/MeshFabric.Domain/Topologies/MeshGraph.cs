using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Domain.Topologies;

/// <summary>A topology for the clusters that there are: who has tunnels to whom, and by whom the others are reached. Pure.</summary>
/// <remarks>
/// Ways are never longer than cluster, its region's hubs, the far region's hubs, cluster; each step is nearer to the end, so nothing goes round in circles.
/// The hubs that can hand on the same packets are a <em>hub group</em>: all hubs, or those of one region.
/// </remarks>
public sealed class MeshGraph
{
    static readonly IReadOnlyList<ClusterFacts> Nobody = [];
    static readonly Place Nowhere = new(false, "", new PairSides([], []));

    readonly Topology _topology;
    readonly Dictionary<string, Place> _places;
    readonly Dictionary<string, List<ClusterFacts>> _hubs;

    /// <param name="Pairs">The same for all that the topology's pairs choose alike.</param>
    sealed record Place(bool IsHub, string Region, PairSides Pairs);

    /// <summary>By pair of the topology: chosen by its one side, by its other. There are far fewer of these than clusters.</summary>
    sealed class PairSides(bool[] between, bool[] and)
    {
        readonly Dictionary<PairSides, bool> _links = [];

        public bool AreLinked(PairSides far)
        {
            lock (_links)
            {
                if (!_links.TryGetValue(far, out var linked))
                {
                    _links[far] = linked = Enumerable.Range(0, Math.Min(between.Length, far.Length)).Any(i => (between[i] && far.IsAnd(i)) || (and[i] && far.IsBetween(i)));
                }

                return linked;
            }
        }

        int Length => between.Length;

        bool IsBetween(int pair) => between[pair];

        bool IsAnd(int pair) => and[pair];
    }

    MeshGraph(Topology topology, Dictionary<string, Place> places, Dictionary<string, List<ClusterFacts>> hubs) => (_topology, _places, _hubs) = (topology, places, hubs);

    public static MeshGraph Of(MeshFacts facts) => Of(facts.Settings.Topology, facts.Clusters);

    /// <param name="topology">Null: full mesh.</param>
    public static MeshGraph Of(Topology? topology, IEnumerable<ClusterFacts> clusters)
    {
        topology ??= Topology.FullMesh;
        if (topology.Kind == TopologyKind.FullMesh)
        {
            return new MeshGraph(topology, [], []);
        }

        var sides = new Dictionary<string, PairSides>(StringComparer.Ordinal);
        var places = new Dictionary<string, Place>(StringComparer.Ordinal);
        var hubs = new Dictionary<string, List<ClusterFacts>>(StringComparer.Ordinal);
        foreach (var cluster in clusters.OrderBy(c => c.Name, StringComparer.Ordinal))
        {
            var region = topology.Kind == TopologyKind.Regions ? LabelSelector.ValueOf(cluster, topology.RegionLabel) ?? "" : "";
            // Machines do not forward for others.
            var isHub = cluster.Kind != ClusterKind.Machine && topology.Hubs?.Matches(cluster) == true;
            var (between, and) = (topology.Pairs.Select(p => p.Between.Matches(cluster)).ToArray(), topology.Pairs.Select(p => p.And.Matches(cluster)).ToArray());
            var key = string.Concat(between.Concat(and).Select(b => b ? '1' : '0'));
            sides.TryAdd(key, new PairSides(between, and));
            places[cluster.Id] = new Place(isHub, region, sides[key]);
            if (isHub)
            {
                hubs.TryAdd(region, []);
                hubs[region].Add(cluster);
            }
        }

        return new MeshGraph(topology, places, hubs);
    }

    /// <summary>Sorted by region; each sorted by name. None where nothing is handed on.</summary>
    public IEnumerable<IReadOnlyList<ClusterFacts>> HubGroups => !_topology.Transit ? [] : _hubs.OrderBy(h => h.Key, StringComparer.Ordinal).Select(h => h.Value);

    public bool IsHub(ClusterFacts cluster) => PlaceOf(cluster).IsHub;

    /// <summary>It hands on what is for others.</summary>
    public bool Transits(ClusterFacts cluster) => _topology.Transit && IsHub(cluster);

    /// <summary>Empty where regions are no matter.</summary>
    public string RegionOf(ClusterFacts cluster) => PlaceOf(cluster).Region;

    public bool AreLinked(ClusterFacts a, ClusterFacts b)
    {
        if (a.Id == b.Id)
        {
            return false;
        }

        if (_topology.Kind == TopologyKind.FullMesh)
        {
            return true;
        }

        var (near, far) = (PlaceOf(a), PlaceOf(b));
        return _topology.Kind switch
        {
            TopologyKind.HubAndSpoke => near.IsHub || far.IsHub,
            TopologyKind.Regions => near.Region == far.Region || (near.IsHub && far.IsHub),
            _ => near.Pairs.AreLinked(far.Pairs),
        };
    }

    /// <summary>Whom <paramref name="near"/> sends what is for <paramref name="far"/> to, each as good as the others; nobody where it has tunnels to it, or no way.</summary>
    public IReadOnlyList<ClusterFacts> Carriers(ClusterFacts near, ClusterFacts far) => Way(near, far) is [var first, ..] ? first : Nobody;

    /// <summary>Everybody who may hand on what the two say to each other.</summary>
    public IEnumerable<ClusterFacts> Between(ClusterFacts near, ClusterFacts far) => Way(near, far).SelectMany(h => h);

    /// <summary>What <paramref name="near"/> addresses this prefix of <paramref name="far"/> by; null when it has no way to. No hub between the two may take it for one of its own.</summary>
    public Cidr? SeenBy(ClusterFacts near, ClusterFacts far, MeshPrefix prefix)
    {
        var between = Between(near, far).SelectMany(h => h.Prefixes).ToList();
        return prefix.SeenBy(between.Count == 0 ? near.Prefixes : near.Prefixes.Concat(between).ToValueList());
    }

    public bool AreConnected(ClusterFacts a, ClusterFacts b) => AreLinked(a, b) || Way(a, b).Count > 0;

    // Hub groups, one after the other; empty where none is needed, and where one that is needed, or an end, has no gateway.
    List<IReadOnlyList<ClusterFacts>> Way(ClusterFacts near, ClusterFacts far)
    {
        if (!_topology.Transit || !_topology.HasHubs || near.Id == far.Id || !near.EdgeGateways.Any() || !far.EdgeGateways.Any() || AreLinked(near, far))
        {
            return [];
        }

        var (from, to) = (PlaceOf(near), PlaceOf(far));
        var groups = new List<IReadOnlyList<ClusterFacts>>(2);
        if (!from.IsHub)
        {
            groups.Add(Working(from.Region));
        }

        if (_topology.Kind == TopologyKind.Regions && !to.IsHub)
        {
            groups.Add(Working(to.Region));
        }

        return groups.TrueForAll(g => g.Count > 0) ? groups : [];
    }

    List<ClusterFacts> Working(string region) => _hubs.TryGetValue(region, out var hubs) ? hubs.FindAll(h => h.EdgeGateways.Any()) : [];

    Place PlaceOf(ClusterFacts cluster) => _places.TryGetValue(cluster.Id, out var place) ? place : Nowhere;
}
