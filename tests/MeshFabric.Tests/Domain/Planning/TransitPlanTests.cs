using CsCheck;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Tests.Domain.Planning;

/// <summary>Plans of meshes whose clusters do not all have tunnels to each other.</summary>
public sealed class TransitPlanTests
{
    static readonly Topology HubAndSpoke = new(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") };

    static readonly MeshFacts Spokes = Meshes.Of(HubAndSpoke, ("aurora", 1, ["10.10.0.0/16"], "", ""), ("borealis", 2, ["10.20.0.0/16"], "", ""), ("centre", 2, ["10.30.0.0/16"], "hub", ""));

    [Fact]
    public void A_spoke_has_tunnels_to_hubs_only_and_sends_what_is_for_others_by_them()
    {
        var config = Meshes.Plan(Spokes, "aurora");
        Assert.All(config.Devices.SelectMany(d => d.Peers), p => Assert.Equal("centre", p.Cluster));
        Assert.Equal(["mf0", "mf1"], config.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).NextHops.Select(h => h.Device));
        Assert.All(config.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).NextHops, h => Assert.Equal("borealis", h.Towards));
        Assert.All(config.Routes.Single(r => r.Destination == Cidr.Parse("10.30.0.0/16")).NextHops, h => Assert.Null(h.Towards));
        var path = Assert.Single(config.Transits);
        Assert.Equal(("borealis", "gw1,gw2", "mf0,mf1"), (path.Cluster, string.Join(",", path.Gateways.Select(g => g.Name)), string.Join(",", path.Carriers.Select(h => h.Device))));
        Assert.False(config.Firewall.Transits);
        Assert.True(Meshes.Plan(Spokes, "centre").Firewall.Transits);
        Assert.Empty(Meshes.Plan(Spokes, "centre").Transits);
    }

    [Fact]
    public void A_drained_gateway_of_a_hub_hands_nothing_on_while_another_one_does()
    {
        var drained = Spokes with { Clusters = Spokes.Clusters.Select(c => c.Name != "centre" ? c : c with { Gateways = c.Gateways.Select(g => g with { Drained = g.Ordinal == 0 }).ToValueList() }).ToValueList() };
        Assert.Equal(["mf1"], Meshes.Plan(drained, "aurora").Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).NextHops.Select(h => h.Device));
    }

    [Fact]
    public void Who_must_not_reach_a_cluster_refuses_what_is_for_it()
    {
        var apart = Spokes with { Settings = Spokes.Settings with { Topology = HubAndSpoke with { Transit = false } } };
        var config = Meshes.Plan(apart, "aurora");
        Assert.Empty(config.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).NextHops);
        Assert.DoesNotContain(config.Devices.SelectMany(d => d.Peers).SelectMany(p => p.AllowedIps), a => a == Cidr.Parse("10.20.0.0/16"));
        Assert.Empty(config.Transits);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_is_for_a_cluster_without_gateways_is_refused_everywhere(bool isFullMesh)
    {
        var pending = Spokes with
        {
            Settings = isFullMesh ? MeshSettings.Default : Spokes.Settings,
            Clusters = Spokes.Clusters.Select(c => c.Name == "borealis" ? c with { Gateways = [] } : c).ToValueList(),
        };
        Assert.All(new[] { "aurora", "centre" }, from => Assert.Empty(Meshes.Plan(pending, from).Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).NextHops));
    }

    [Fact]
    public void No_hub_takes_a_far_prefix_for_its_own()
    {
        // The hub stands on 10.20.0.0/16 itself and is remapped, so spokes must address borealis by what the hub can tell apart.
        var facts = Meshes.Of(HubAndSpoke, ("aurora", 1, ["10.10.0.0/16"], "", ""), ("borealis", 1, ["10.20.0.0/16"], "", ""), ("centre", 1, ["10.20.0.0/16"], "hub", ""));
        var alias = facts.Clusters.Single(c => c.Name == "borealis").Prefixes.Single().Alias!;
        Assert.NotEmpty(Meshes.Plan(facts, "aurora").Routes.Single(r => r.Destination == alias).NextHops);
        // What led there before is refused, or it would leave in clear.
        Assert.Empty(Meshes.Plan(facts, "aurora").Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).NextHops);
        Assert.Contains(Cidr.Parse("10.20.0.0/16"), Meshes.Plan(facts, "aurora").Firewall.RemotePrefixes);
    }

    [Fact]
    public void A_packet_between_any_two_pods_arrives_by_whatever_gateways_and_so_does_its_answer() => AnyWithTopology.Sample(facts =>
    {
        var graph = MeshGraph.Of(facts);
        var plans = Meshes.Gateways(facts).ToDictionary(g => (g.Cluster.Name, g.Gateway.Name), g => MeshPlanner.Plan(facts, g.Cluster.Id, g.Gateway.Id));
        foreach (var near in facts.Clusters)
        {
            foreach (var far in facts.Clusters.Where(c => c.Id != near.Id))
            {
                foreach (var (from, to) in near.Prefixes.SelectMany(f => far.Prefixes.Where(t => t.Local.Family == f.Local.Family).Select(t => (f, t))))
                {
                    var (source, target) = (from.Local.LastAddress, to.Local.LastAddress);
                    var dialled = graph.SeenBy(near, far, to) is { } seen ? to.Local.Translate(target, seen) : null;
                    Assert.NotNull(dialled);
                    foreach (var gateway in near.Gateways)
                    {
                        var ends = Packets.Walk(plans, near.Name, gateway.Name, source, dialled).ToList();
                        Assert.Equal(graph.AreConnected(near, far), ends.Count > 0);
                        Assert.All(ends, end => Assert.Equal((far.Name, target), (end.Cluster, end.Destination)));
                        foreach (var end in ends)
                        {
                            var answers = Packets.Walk(plans, end.Cluster, end.Gateway, target, end.Source).ToList();
                            Assert.NotEmpty(answers);
                            Assert.All(answers, a => Assert.Equal((near.Name, source, dialled), (a.Cluster, a.Destination, a.Source)));
                        }
                    }
                }
            }
        }
    });

    [Fact]
    public void No_two_peers_of_a_device_share_an_address_with_any_topology() => AnyWithTopology.Sample(facts =>
    {
        foreach (var (cluster, gateway) in Meshes.Gateways(facts))
        {
            var config = MeshPlanner.Plan(facts, cluster.Id, gateway.Id);
            foreach (var device in config.Devices)
            {
                var allowed = device.Peers.SelectMany(p => p.AllowedIps).Order().ToList();
                Assert.All(allowed.Zip(allowed.Skip(1)), pair => Assert.False(pair.First.Overlaps(pair.Second)));
            }

            Assert.All(config.Routes.Where(r => r.NextHops.Count > 0), r => Assert.All(r.NextHops, h => Assert.Contains(r.Destination,
                config.Devices.Single(d => d.Name == h.Device).Peers.Single(p => p.Cluster == h.Cluster && p.Gateway == h.Gateway).AllowedIps)));
            Assert.All(config.Routes, r => Assert.DoesNotContain(cluster.Prefixes, p => p.Local.Overlaps(r.Destination)));
        }
    });

    public static readonly Gen<MeshFacts> AnyWithTopology =
        Gen.Select(Meshes.Any, Gen.Int[0, 3], Gen.Bool, Gen.Int[0, 1].Array[7], Gen.Int[0, 2].Array[7]).Select((facts, kind, transit, hubs, regions) =>
        {
            var topology = kind switch
            {
                0 => Topology.FullMesh,
                1 => HubAndSpoke with { Transit = transit },
                2 => HubAndSpoke with { Kind = TopologyKind.Regions, Transit = transit },
                _ => new Topology(TopologyKind.Pairs) { Pairs = [new ClusterPair(LabelSelector.Parse("role=hub"), LabelSelector.Parse("meshfabric.io/region in (r0, r1)"))] },
            };
            var located = Meshes.Located(facts, c => (hubs[c[1] - '0'] == 1 ? "hub" : "", $"r{regions[c[1] - '0']}"));
            return Meshes.Numbered(located with { Settings = located.Settings with { Topology = topology } });
        }).Where(facts => facts is not null).Select(facts => facts!);
}
