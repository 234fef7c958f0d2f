using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>Decides which gateways hand packets on between those pairs of which neither can be dialled. Pure; what is decided stays for as long as it is of use.</summary>
/// <remarks>
/// A pair has two relays where there are as many, so that it outlives either without asking anybody. Which of them it uses, and whether it needs one at all, the pair's own
/// agents find out. A relay knows both by its tunnels to them, so it is a gateway of a third cluster, with an IPv4 endpoint. Machines do not
/// forward for others.
/// </remarks>
public static class RelayPlanner
{
    /// <summary>Relays of each pair.</summary>
    public const int PerPair = 2;

    /// <summary>UDP ports of a gateway that it relays by: from its listen port plus <see cref="GatewayFacts.Planes"/> on.</summary>
    public const int PortsPerGateway = 1000;

    // Another relay must be that much better, by both, before a pair is moved: single measurements are noisy, and a move is a new revision for all.
    const double Better = 0.5;
    const double BetterBySeconds = 0.02;

    // So many of the nearest relays are looked at for each gateway.
    const int Nearest = 16;

    /// <param name="facts">With the relays there are.</param>
    /// <param name="graph">Only those who have a tunnel need a relay for it, and only who has tunnels to both can be one.</param>
    /// <param name="isAlive">By gateway id: its agent was heard of lately.</param>
    /// <param name="roundTrip">By ids of a gateway that can be dialled and one that cannot: seconds, or null when nobody measured it.</param>
    /// <returns>By id of each gateway that can relay, all its pairs.</returns>
    public static IReadOnlyDictionary<string, ValueList<RelayFacts>> Plan(IReadOnlyList<ClusterFacts> facts, MeshGraph graph, Func<string, bool> isAlive, Func<string, string, double?> roundTrip)
    {
        var relays = facts.Where(c => c.Kind != ClusterKind.Machine).SelectMany(c => c.EdgeGateways.Where(g => g.Endpoints.Any(CanRelay)), (c, g) => new Candidate(c, g)).ToList();
        var had = relays.SelectMany(r => r.Gateway.Relays, (r, pair) => (Relay: r, Pair: (pair.First, pair.Second))).ToLookup(r => r.Pair, r => r.Relay);
        var near = new Dictionary<string, List<Candidate>>(StringComparer.Ordinal);
        foreach (var (first, second) in Pairs(facts).Where(p => graph.AreLinked(p.First.Cluster, p.Second.Cluster)))
        {
            var possible = NearestTo(first).Concat(NearestTo(second)).Concat(had[(first.Gateway.Id, second.Gateway.Id)]).Distinct()
                .Where(r => graph.AreLinked(r.Cluster, first.Cluster) && graph.AreLinked(r.Cluster, second.Cluster)).ToList();
            var chosen = Choose(possible, first.Gateway.Id, second.Gateway.Id, isAlive, roundTrip);
            chosen.ForEach(r => r.Take(first.Gateway.Id, second.Gateway.Id));
        }

        return relays.ToDictionary(r => r.Gateway.Id, r => r.Taken(), StringComparer.Ordinal);

        List<Candidate> NearestTo((ClusterFacts Cluster, GatewayFacts Gateway) hidden) => near.TryGetValue(hidden.Gateway.Id, out var known)
            ? known
            : near[hidden.Gateway.Id] = relays.Where(r => isAlive(r.Gateway.Id) && graph.AreLinked(r.Cluster, hidden.Cluster)).OrderBy(r => roundTrip(r.Gateway.Id, hidden.Gateway.Id) ?? double.MaxValue).ThenBy(r => r.Gateway.Id, StringComparer.Ordinal).Take(Nearest).ToList();
    }

    /// <summary>Relays are IPv4: of those who cannot be dialled, hardly anybody has IPv6 and is not reached by it.</summary>
    public static bool CanRelay(UdpEndpoint endpoint) => endpoint.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork;

    static IEnumerable<((ClusterFacts Cluster, GatewayFacts Gateway) First, (ClusterFacts Cluster, GatewayFacts Gateway) Second)> Pairs(IReadOnlyList<ClusterFacts> facts)
    {
        var hidden = facts.SelectMany(c => c.EdgeGateways.Where(g => g.IsHidden), (c, g) => (Cluster: c, Gateway: g)).OrderBy(g => g.Gateway.Id, StringComparer.Ordinal).ToList();
        return hidden.SelectMany((first, i) => hidden.Skip(i + 1).Where(second => second.Cluster.Id != first.Cluster.Id).Select(second => (first, second)));
    }

    static List<Candidate> Choose(List<Candidate> possible, string first, string second, Func<string, bool> isAlive, Func<string, string, double?> roundTrip)
    {
        var ranked = possible.Select(r => (Relay: r, Alive: isAlive(r.Gateway.Id), Has: r.Had(first, second), Cost: Cost(r)))
            .Where(r => r.Has || (r.Alive && r.Relay.HasRoom))
            .OrderBy(r => r.Alive ? 0 : 1)
            .ThenBy(r => r.Has ? Math.Min(Better * r.Cost, r.Cost - BetterBySeconds) : r.Cost)
            .ThenBy(r => r.Has ? 0 : 1)
            .ThenBy(r => r.Relay.Pairs)
            .ThenBy(r => r.Relay.Gateway.Id, StringComparer.Ordinal)
            .ToList();
        var chosen = ranked.Take(PerPair).ToList();
        if (!chosen.Exists(r => r.Has) && ranked.Find(r => r is { Has: true, Alive: true }) is { Relay: not null } kept)
        {
            // Never both at once: by one of them the pair goes on until it knows the other.
            chosen[^1] = kept;
        }

        return chosen.ConvertAll(r => r.Relay);

        double Cost(Candidate r) => roundTrip(r.Gateway.Id, first) + roundTrip(r.Gateway.Id, second) ?? double.MaxValue;
    }

    sealed class Candidate(ClusterFacts cluster, GatewayFacts gateway)
    {
        readonly List<RelayFacts> _taken = [];
        readonly HashSet<int> _ports = gateway.Relays.SelectMany(r => new[] { r.FirstPort, r.SecondPort }).ToHashSet();
        // One by a port that a device has by now is given another.
        readonly Dictionary<(string, string), RelayFacts> _had = gateway.Relays.Where(r => Math.Min(r.FirstPort, r.SecondPort) >= gateway.ListenPort + GatewayFacts.Planes).ToDictionary(r => (r.First, r.Second));

        public ClusterFacts Cluster => cluster;
        public GatewayFacts Gateway => gateway;
        public int Pairs => _taken.Count;
        public bool HasRoom => _ports.Count + 2 <= Range.Count();

        IEnumerable<int> Range => Enumerable.Range(gateway.ListenPort + GatewayFacts.Planes, Math.Clamp(ushort.MaxValue + 1 - gateway.ListenPort - GatewayFacts.Planes, 0, PortsPerGateway));

        public bool Had(string first, string second) => _had.ContainsKey((first, second));

        public void Take(string first, string second)
        {
            if (!_had.TryGetValue((first, second), out var relay))
            {
                // A port that another pair has just given up may still be sent to: it is not reused in the same step.
                var free = Range.Where(p => !_ports.Contains(p)).Take(2).ToArray();
                relay = new RelayFacts(first, free[0], second, free[1]);
                _ports.UnionWith(free);
            }

            _taken.Add(relay);
        }

        public ValueList<RelayFacts> Taken() => _taken.OrderBy(r => r.FirstPort).ToValueList();
    }
}
