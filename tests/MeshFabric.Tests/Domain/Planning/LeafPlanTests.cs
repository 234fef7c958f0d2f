using CsCheck;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Tests.Domain.Planning;

/// <summary>Plans of meshes with clusters whose nodes end tunnels themselves.</summary>
public sealed class LeafPlanTests
{
    // Aurora: gw1 has 10.10.0.0/20, node-1 10.10.16.0/20, node-2 10.10.32.0/20.
    static readonly MeshFacts Leafy = Meshes.Leafy(Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"])), 2, "aurora");

    static GatewayConfig PlanOfLeaf(MeshFacts facts, string cluster, int leaf = 0) => MeshPlanner.Plan(facts, Meshes.Id(cluster), Meshes.LeafId(cluster, leaf));

    static ValueList<NextHop> HopsTo(GatewayConfig config, string destination) => config.Routes.Single(r => r.Destination == Cidr.Parse(destination)).NextHops;

    [Fact]
    public void Pods_of_a_leaf_are_sent_to_their_own_node_and_all_others_by_the_gateways()
    {
        var config = Meshes.Plan(Leafy, "borealis");
        Assert.Equal([new NextHop("mf8", "aurora", "node-1")], HopsTo(config, "10.10.16.0/20"));
        Assert.Equal([new NextHop("mf0", "aurora", "gw1")], HopsTo(config, "10.10.0.0/16"));
        // What is on a gateway's own node is sent to that one, too.
        Assert.Equal([new NextHop("mf0", "aurora", "gw1")], HopsTo(config, "10.10.0.0/20"));
        Assert.Equal(["10.10.0.0/20", "10.10.16.0/20", "10.10.32.0/20"], config.Routes.Where(r => r.IsShortcut).Select(r => r.Destination.ToString()));
    }

    [Fact]
    public void All_leaves_are_peers_of_one_device_each_with_its_own_pods()
    {
        var device = Meshes.Plan(Leafy, "borealis", ordinal: 1).Devices.Single(d => d.Name == "mf8");
        Assert.Equal(51820 + GatewayFacts.LeafOrdinal, device.ListenPort);
        Assert.Equal(["node-1", "node-2"], device.Peers.Select(p => p.Gateway).Order());
        var first = device.Peers.Single(p => p.Gateway == "node-1");
        Assert.Equal([Cidr.Parse("10.10.16.0/20"), .. first.TunnelAddresses], first.AllowedIps);
        // A leaf answers at the device of the gateway that asks.
        Assert.All(first.Endpoints, e => Assert.Equal(51821, e.Port));
        Assert.Empty(first.Beacons);
    }

    [Fact]
    public void A_leaf_has_tunnels_to_all_far_gateways_and_sends_what_comes_from_its_own_pods()
    {
        var config = PlanOfLeaf(Leafy, "aurora");
        Assert.True(config.IsLeaf);
        Assert.Equal(["mf0", "mf1"], config.Devices.Select(d => d.Name));
        Assert.All(config.Devices.SelectMany(d => d.Peers), p => Assert.All(p.Endpoints, e => Assert.Equal(51820 + GatewayFacts.LeafOrdinal, e.Port)));
        Assert.Equal(["mf0", "mf1"], HopsTo(config, "10.20.0.0/16").Select(h => h.Device));
        Assert.Equal([Cidr.Parse("10.10.16.0/20")], config.Sources);
        Assert.Null(Meshes.Plan(Leafy, "aurora").Sources);
    }

    [Fact]
    public void A_drained_leaf_is_sent_nothing()
    {
        var drained = Leafy with { Clusters = Leafy.Clusters.Select(c => c with { Gateways = c.Gateways.Select(g => g.Name == "node-1" ? g with { Drained = true } : g).ToValueList() }).ToValueList() };
        Assert.DoesNotContain(Meshes.Plan(drained, "borealis").Routes, r => r.Destination == Cidr.Parse("10.10.16.0/20"));
        Assert.Contains(Meshes.Plan(drained, "borealis").Routes, r => r.Destination == Cidr.Parse("10.10.32.0/20"));
    }

    [Fact]
    public void A_leaf_that_is_wanted_no_longer_is_sent_nothing_and_what_it_still_sends_is_taken()
    {
        var back = Leafy with { Clusters = Leafy.Clusters.Select(c => c with { Granularity = Granularity.Gateway }).ToValueList() };
        var config = Meshes.Plan(back, "borealis");
        Assert.DoesNotContain(config.Routes, r => r.IsShortcut);
        Assert.All(config.Devices.Single(d => d.Name == "mf8").Peers, p => Assert.Contains(p.AllowedIps, a => a.Length == 20));
    }

    [Fact]
    public void A_leaf_and_a_gateway_of_which_neither_can_be_dialled_have_no_tunnel_and_go_by_the_gateways()
    {
        var hidden = Leafy with { Clusters = Leafy.Clusters.Select(c => c with { Gateways = c.Gateways.Select(g => g.IsLeaf || c.Name == "borealis" ? g with { Endpoints = [] } : g).ToValueList() }).ToValueList() };
        var config = Meshes.Plan(hidden, "borealis");
        Assert.DoesNotContain(config.Devices, d => d.Name == "mf8");
        Assert.DoesNotContain(config.Routes, r => r.Destination == Cidr.Parse("10.10.16.0/20"));
        Assert.Empty(PlanOfLeaf(hidden, "aurora").Devices);
        Assert.Empty(config.Findings);
    }

    [Fact]
    public void A_leaf_hands_nothing_on()
    {
        var hub = new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") };
        var facts = Meshes.Leafy(Meshes.Of(hub, ("aurora", 1, ["10.10.0.0/16"], "", ""), ("borealis", 1, ["10.20.0.0/16"], "", ""), ("centre", 2, ["10.30.0.0/16"], "hub", "")), 2, "centre", "aurora");
        Assert.Equal(["gw1", "gw2"], HopsTo(PlanOfLeaf(facts, "aurora"), "10.20.0.0/16").Select(h => h.Gateway));
        Assert.Equal(["gw1", "gw2"], Assert.Single(Meshes.Plan(facts, "borealis").Transits).Carriers.Select(h => h.Gateway));
        Assert.Equal(["gw1"], Meshes.Plan(facts, "borealis").Transits[0].Gateways.Select(g => g.Name));
        // The hub sends to the node itself.
        Assert.Equal([new NextHop("mf8", "aurora", "node-2")], HopsTo(Meshes.Plan(facts, "centre"), "10.10.32.0/20"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_packet_between_pods_of_any_nodes_arrives_and_so_does_its_answer_with_shortcuts_and_without(bool hasShortcuts) => Gen.Select(TransitPlanTests.AnyWithTopology, Gen.Int[0, 2], Gen.Bool.Array[7]).Sample((plain, leaves, which) =>
    {
        var facts = Meshes.Leafy(plain, leaves, plain.Clusters.Select(c => c.Name).Where((_, i) => which[i]).ToArray());
        var graph = MeshGraph.Of(facts);
        var plans = Meshes.Gateways(facts).ToDictionary(g => (g.Cluster.Name, g.Gateway.Name), g => MeshPlanner.Plan(facts, g.Cluster.Id, g.Gateway.Id));
        foreach (var (near, gateway) in Meshes.Gateways(facts))
        {
            foreach (var far in facts.Clusters.Where(c => c.Id != near.Id))
            {
                var pods = gateway.Pods.Count > 0 ? gateway.Pods : near.Prefixes.Select(p => p.Local);
                var targets = far.Gateways.SelectMany(g => g.Pods).Concat(far.Prefixes.Select(p => p.Local)).Distinct().ToList();
                foreach (var (from, to) in pods.SelectMany(f => targets.Where(t => t.Family == f.Family).Select(t => (f, t))))
                {
                    var prefix = far.Prefixes.Single(p => p.Local.Contains(to));
                    var (source, target) = (from.LastAddress, to.LastAddress);
                    Assert.NotNull(graph.SeenBy(near, far, prefix));
                    var dialled = prefix.Local.Translate(target, graph.SeenBy(near, far, prefix)!);
                    Assert.Contains(plans[(near.Name, gateway.Name)].Sources ?? [from], s => s.Contains(source));
                    var ends = Packets.Walk(plans, near.Name, gateway.Name, source, dialled, hasShortcuts).ToList();
                    Assert.Equal(graph.AreConnected(near, far), ends.Count > 0);
                    foreach (var end in ends)
                    {
                        Assert.Equal((far.Name, target), (end.Cluster, end.Destination));
                        var last = far.Gateways.Single(g => g.Name == end.Gateway);
                        Assert.True(!last.IsLeaf || last.Pods.Any(p => p.Contains(target)), "a leaf is sent its own pods' packets only");
                        Assert.All(Packets.Walk(plans, end.Cluster, end.Gateway, target, end.Source, hasShortcuts), a => Assert.Equal((near.Name, source, dialled), (a.Cluster, a.Destination, a.Source)));
                    }
                }
            }
        }
    }, iter: 60);

    [Fact]
    public void No_two_peers_of_a_device_have_the_same_prefix_and_no_route_stands_twice() => Gen.Select(TransitPlanTests.AnyWithTopology, Gen.Int[0, 3], Gen.Bool.Array[7]).Sample((plain, leaves, which) =>
    {
        var facts = Meshes.Leafy(plain, leaves, plain.Clusters.Select(c => c.Name).Where((_, i) => which[i]).ToArray());
        foreach (var (cluster, gateway) in Meshes.Gateways(facts))
        {
            var config = MeshPlanner.Plan(facts, cluster.Id, gateway.Id);
            Assert.All(config.Devices, d => Assert.Distinct(d.Peers.SelectMany(p => p.AllowedIps)));
            Assert.Distinct(config.Routes.Select(r => r.Destination));
            Assert.All(config.Routes.Where(r => r.IsShortcut), s => Assert.Contains(config.Routes, r => !r.IsShortcut && r.Destination.Contains(s.Destination) && r.Destination != s.Destination));
        }
    });
}
