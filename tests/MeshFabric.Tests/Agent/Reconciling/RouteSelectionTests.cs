using MeshFabric.Agent.Reconciling;
using MeshFabric.Domain;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;
using MeshFabric.Tests.Domain.Planning;

namespace MeshFabric.Tests.Agent.Reconciling;

public sealed class RouteSelectionTests
{
    static readonly GatewayConfig Config = MeshPlanner.Plan(Meshes.Of(("aurora", 2, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]), ("cirrus", 1, ["10.30.0.0/16"])), "c-aurora", "g-aurora-1");

    [Theory]
    [InlineData(Detour.Never, "10.20.0.0/16 mf1; 10.30.0.0/16 mf0")]
    [InlineData(Detour.WhereDead, "10.20.0.0/16 mf1")]
    [InlineData(Detour.Always, "")]
    public void Dead_planes_are_left_and_what_is_wholly_dead_goes_by_another_gateway_if_there_is_one(Detour detour, string expected) =>
        Assert.Equal(expected, Text(RouteSelection.Select(Config, h => h.Gateway == "gw2", detour).Where(r => r.Destination.Length == 16)));

    [Theory]
    [InlineData(Detour.Never)]
    [InlineData(Detour.WhereDead)]
    [InlineData(Detour.Always)]
    public void The_far_gateways_own_addresses_are_reached_by_their_tunnels_alone_dead_or_alive(Detour detour)
    {
        var probed = RouteSelection.Select(Config, _ => false, detour).Where(r => r.Destination.Length == r.Destination.MaxLength).ToList();
        Assert.Equal(Config.Devices.SelectMany(d => d.Peers).Sum(p => p.TunnelAddresses.Count), probed.Count);
        Assert.All(probed, r => Assert.Single(r.Devices));
    }

    [Fact]
    public void A_route_takes_what_passes_by_each_of_its_ways_and_probes_are_not_held_back()
    {
        var routes = RouteSelection.Select(Config, _ => true, mtu: h => h.Gateway == "gw2" ? 1372 : 1420);
        Assert.Equal(1372, routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).Mtu);
        Assert.Equal(1420, routes.Single(r => r.Destination == Cidr.Parse("10.30.0.0/16")).Mtu);
        Assert.All(routes.Where(r => r.Destination.Length == r.Destination.MaxLength), r => Assert.Equal(0, r.Mtu));
        Assert.Equal(1420, RouteSelection.Select(Config, h => h.Gateway != "gw2", mtu: h => h.Gateway == "gw2" ? 1372 : 1420).Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).Mtu);
    }

    [Fact]
    public void A_way_by_a_hub_is_left_when_the_hub_does_not_reach_the_end_and_what_is_refused_is_always_there()
    {
        var hubs = new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") };
        var facts = Meshes.Of(hubs, ("aurora", 1, ["10.10.0.0/16"], "", ""), ("borealis", 1, ["10.20.0.0/16"], "", ""), ("centre", 2, ["10.30.0.0/16"], "hub", ""));
        Assert.Equal("10.20.0.0/16 mf1; 10.30.0.0/16 mf0,mf1", Wide(facts, h => h.Towards is null || h.Gateway == "gw2"));
        Assert.Equal("10.20.0.0/16 mf0,mf1; 10.30.0.0/16 mf0,mf1", Wide(facts, h => h.Towards is null));
        var apart = facts with { Settings = facts.Settings with { Topology = hubs with { Transit = false } } };
        Assert.Equal("10.20.0.0/16 ; 10.30.0.0/16 mf0,mf1", Wide(apart, _ => true));
        Assert.Equal("10.20.0.0/16 ", Wide(apart, _ => true, Detour.Always));

        static string Wide(MeshFacts facts, Func<NextHop, bool> isAlive, Detour detour = Detour.Never) => Text(RouteSelection.Select(Meshes.Plan(facts, "aurora"), isAlive, detour).Where(r => r.Destination.Length == 16));
    }

    [Theory]
    [InlineData(Detour.Never)]
    [InlineData(Detour.WhereDead)]
    public void A_shortcut_that_is_dead_is_taken_away_and_the_wider_route_carries(Detour detour)
    {
        var config = Meshes.Plan(Meshes.Leafy(Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"])), 2, "aurora"), "borealis");
        Assert.Equal("10.10.0.0/16 mf0; 10.10.0.0/20 mf0; 10.10.32.0/20 mf8", Text(RouteSelection.Select(config, h => h.Gateway != "node-1", detour).Where(r => r.Destination.Length is 16 or 20)));
    }

    [Theory]
    [InlineData("mf0", "gw1 gw2", "10.20.0.0/16 mf1; 10.30.0.0/16 mf0")]
    [InlineData("mf1", "gw1 gw2", "10.20.0.0/16 mf0; 10.30.0.0/16 mf0")]
    [InlineData("mf0", "gw1", "10.20.0.0/16 mf0; 10.30.0.0/16 mf0")]
    [InlineData("mf0", "", "10.20.0.0/16 mf1; 10.30.0.0/16 mf0")]
    public void A_device_that_rests_carries_only_what_no_other_one_can(string resting, string alive, string expected) =>
        Assert.Equal(expected, Wide(RouteSelection.Select(Config, h => alive.Contains(h.Gateway), resting: resting)));

    [Theory]
    [InlineData(null, "gw1 gw2", Detour.Never, "mf1")]
    [InlineData(null, "gw1", Detour.Never, "mf0")]
    [InlineData("mf1", "gw1 gw2", Detour.Never, "mf0")]
    [InlineData("mf1", "gw2", Detour.Never, "mf1")]
    [InlineData(null, "", Detour.Never, "mf1")]
    // Another gateway of the own cluster is as good as the far one that is not drained.
    [InlineData(null, "gw1", Detour.WhereDead, null)]
    [InlineData("mf1", "gw1 gw2", Detour.WhereDead, "mf1")]
    public void A_drained_gateway_carries_what_no_other_one_of_its_cluster_can(string? resting, string alive, Detour detour, string? expected)
    {
        var facts = Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]));
        var drained = facts with { Clusters = facts.Clusters.Select(c => c with { Gateways = c.Gateways.Select(g => g with { Drained = c.Name == "borealis" && g.Ordinal == 0 }).ToValueList() }).ToValueList() };
        var mtu = (NextHop hop) => hop.Gateway == "gw1" ? 1372 : 1420;
        var route = RouteSelection.Select(Meshes.Plan(drained, "aurora"), h => alive.Contains(h.Gateway), detour, mtu, resting).SingleOrDefault(r => r.Destination == Cidr.Parse("10.20.0.0/16"));
        Assert.Equal((expected, expected switch { "mf0" => 1372, "mf1" => 1420, _ => null }), (route is null ? null : string.Join(",", route.Devices), route?.Mtu));
    }

    [Fact]
    public void Pods_of_a_leaf_take_no_dead_way_not_even_to_a_far_gateway_itself_and_probes_do()
    {
        var facts = Meshes.Leafy(Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"])), 1, "aurora");
        var config = MeshPlanner.Plan(facts, Meshes.Id("aurora"), Meshes.LeafId("aurora", 0));
        var addresses = facts.Clusters[1].Gateways.ToDictionary(g => g.Name, g => g.TunnelAddresses);
        var pods = RouteSelection.Select(config, h => h.Gateway == "gw2", Detour.WhereDead).Select(r => r.Destination).ToList();
        Assert.DoesNotContain(pods, addresses["gw1"].Contains);
        Assert.All(addresses["gw2"], a => Assert.Contains(a, pods));
        // What its own addresses ask.
        Assert.All(addresses.Values.SelectMany(a => a), a => Assert.Contains(RouteSelection.Select(config, h => h.Gateway == "gw2"), r => r.Destination == a && r.Devices.Count == 1));
    }

    [Fact]
    public void While_all_are_alive_all_carry() =>
        Assert.Equal("10.20.0.0/16 mf0,mf1; 10.30.0.0/16 mf0", Text(RouteSelection.Select(Config, _ => true, Detour.WhereDead).Where(r => r.Destination.Length == 16)));

    static string Wide(IEnumerable<MeshFabric.Agent.Ports.InstalledRoute> routes) => Text(routes.Where(r => r.Destination.Length == 16));

    static string Text(IEnumerable<MeshFabric.Agent.Ports.InstalledRoute> routes) => string.Join("; ", routes.Select(r => $"{r.Destination} {string.Join(",", r.Devices)}"));
}
