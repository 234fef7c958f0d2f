using CsCheck;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Tests.Domain.Planning;

public sealed class RelayPlannerTests
{
    static readonly Gen<(IReadOnlyList<ClusterFacts> Facts, int Seed)> Any =
        Gen.Select(Gen.Select(Gen.Int[1, 3], Gen.Bool).Array[2, 8], Gen.Int[0, 1_000_000]).Select((clusters, seed) => (
            (IReadOnlyList<ClusterFacts>)Meshes.Of([.. clusters.Select((c, i) => ($"c{i}", c.Item1, new[] { $"10.{i}.0.0/16" }))]).Clusters
                .Select((c, i) => clusters[i].Item2 ? c : c with { Gateways = c.Gateways.Select(g => g with { Endpoints = [] }).ToValueList() }).ToList(),
            seed));

    [Fact]
    public void Every_pair_of_which_neither_can_be_dialled_has_two_relays_of_other_clusters_where_there_are_as_many() => Any.Sample(sample =>
    {
        var relays = Plan(sample.Facts);
        foreach (var (a, b) in Pairs(sample.Facts))
        {
            var possible = sample.Facts.Where(c => c != a.Cluster && c != b.Cluster).SelectMany(c => c.Gateways).Where(g => g.Endpoints.Count > 0).Select(g => g.Id).ToList();
            var has = relays.Where(r => r.Value.Any(p => p.FarOf(a.Gateway.Id) == b.Gateway.Id)).Select(r => r.Key).ToList();
            Assert.Equal(Math.Min(RelayPlanner.PerPair, possible.Count), has.Count);
            Assert.Subset(possible.ToHashSet(), has.ToHashSet());
        }
    });

    [Fact]
    public void Ports_are_each_sides_own_and_in_the_range_of_their_gateway() => Any.Sample(sample =>
    {
        var gateways = sample.Facts.SelectMany(c => c.Gateways).ToDictionary(g => g.Id);
        foreach (var (id, pairs) in Plan(sample.Facts))
        {
            var ports = pairs.SelectMany(p => new[] { p.FirstPort, p.SecondPort }).ToList();
            Assert.Equal(ports.Count, ports.Distinct().Count());
            Assert.All(ports, p => Assert.InRange(p, gateways[id].ListenPort + GatewayFacts.Planes, gateways[id].ListenPort + GatewayFacts.Planes + RelayPlanner.PortsPerGateway - 1));
        }
    });

    [Fact]
    public void What_was_decided_stays_when_others_come_and_go() => Any.Sample(sample =>
    {
        var before = With(sample.Facts, Plan(sample.Facts));
        var random = new Random(sample.Seed);
        var gone = before[random.Next(before.Count)];
        var after = Plan([.. before.Where(c => c != gone)]);
        foreach (var gateway in before.Where(c => c != gone).SelectMany(c => c.Gateways))
        {
            var expected = gateway.Relays.Where(r => !gone.Gateways.Any(g => g.Id == r.First || g.Id == r.Second));
            // A pair that lost a relay may get another one here; none that stays gets other ports.
            Assert.Subset(after.GetValueOrDefault(gateway.Id, []).ToHashSet(), expected.ToHashSet());
        }
    });

    [Fact]
    public void A_pair_leaves_a_relay_that_is_dead_or_much_slower_and_no_other()
    {
        var facts = Meshes.Hidden(Meshes.Of(("a", 1, ["10.1.0.0/16"]), ("b", 1, ["10.2.0.0/16"]), ("r1", 1, ["10.3.0.0/16"]), ("r2", 1, ["10.4.0.0/16"]), ("r3", 1, ["10.5.0.0/16"])), "a", "b").Clusters;
        var (chosen, spare) = (Of(facts), new[] { "g-r1-1", "g-r2-1", "g-r3-1" }.Except(Of(facts)).Single());

        Assert.Equal(chosen, Of(With(facts, RelayPlanner.Plan(facts, MeshGraph.Of(null, facts), _ => true, (r, _) => r == spare ? 0.060 : 0.100))));
        Assert.Equal(chosen, Of(With(facts, RelayPlanner.Plan(facts, MeshGraph.Of(null, facts), _ => true, (r, _) => r == spare ? 0.0002 : 0.001))));
        Assert.Contains(spare, Of(With(facts, RelayPlanner.Plan(facts, MeshGraph.Of(null, facts), _ => true, (r, _) => r == spare ? 0.040 : 0.100))));
        Assert.Equal([.. chosen.Skip(1).Append(spare).Order(StringComparer.Ordinal)], Of(With(facts, RelayPlanner.Plan(facts, MeshGraph.Of(null, facts), r => r != chosen[0], (_, _) => null))));
        // Nobody else there: it may come back.
        Assert.Equal(chosen, Of(With(facts, RelayPlanner.Plan(facts, MeshGraph.Of(null, facts), r => r != chosen[0] && r != spare, (_, _) => null))));

        static List<string> Of(IEnumerable<ClusterFacts> clusters) => clusters.SelectMany(c => c.Gateways).Where(g => g.Relays.Count > 0).Select(g => g.Id).Order(StringComparer.Ordinal).ToList();
    }

    [Fact]
    public void A_pair_is_never_moved_off_both_of_its_relays_at_once_while_one_of_them_is_alive()
    {
        var facts = Meshes.Hidden(Meshes.Of([("a", 1, ["10.1.0.0/16"]), ("b", 1, ["10.2.0.0/16"]), .. Enumerable.Range(1, 6).Select(i => ($"r{i}", 1, new[] { $"10.{10 + i}.0.0/16" }))]), "a", "b").Clusters;
        var before = facts.SelectMany(c => c.Gateways).Where(g => g.Relays.Count > 0).Select(g => g.Id).ToList();
        var after = RelayPlanner.Plan(facts, MeshGraph.Of(null, facts), _ => true, (r, _) => before.Contains(r) ? 0.500 : 0.010).Where(r => r.Value.Count > 0).Select(r => r.Key).ToList();
        Assert.Equal(2, after.Count);
        Assert.Single(after.Intersect(before));
    }

    [Fact]
    public void Ports_end_where_ports_end()
    {
        var facts = Meshes.Hidden(Meshes.Of(("a", 1, ["10.1.0.0/16"]), ("b", 1, ["10.2.0.0/16"]), ("c", 1, ["10.3.0.0/16"]), ("r", 1, ["10.4.0.0/16"])), "a", "b", "c").Clusters
            .Select(c => c with { Gateways = c.Gateways.Select(g => g with { ListenPort = 65525, Relays = [] }).ToValueList() }).ToList();
        var pairs = Plan(facts)["g-r-1"];
        Assert.Equal([(65534, 65535)], pairs.Select(p => (p.FirstPort, p.SecondPort)));
    }

    static IReadOnlyDictionary<string, ValueList<RelayFacts>> Plan(IReadOnlyList<ClusterFacts> facts) => RelayPlanner.Plan(facts, MeshGraph.Of(null, facts), _ => true, (_, _) => null);

    static List<ClusterFacts> With(IEnumerable<ClusterFacts> facts, IReadOnlyDictionary<string, ValueList<RelayFacts>> relays) =>
        facts.Select(c => c with { Gateways = c.Gateways.Select(g => g with { Relays = relays.GetValueOrDefault(g.Id) ?? [] }).ToValueList() }).ToList();

    static IEnumerable<((ClusterFacts Cluster, GatewayFacts Gateway) A, (ClusterFacts Cluster, GatewayFacts Gateway) B)> Pairs(IReadOnlyList<ClusterFacts> facts)
    {
        var hidden = facts.SelectMany(c => c.Gateways.Where(g => g.Endpoints.Count == 0), (c, g) => (c, g)).ToList();
        return hidden.SelectMany((a, i) => hidden.Skip(i + 1).Where(b => b.c != a.c).Select(b => (a, b)));
    }
}
