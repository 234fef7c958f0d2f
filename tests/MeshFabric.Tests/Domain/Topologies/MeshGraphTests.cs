using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Tests.Domain.Planning;

namespace MeshFabric.Tests.Domain.Topologies;

public sealed class MeshGraphTests
{
    static readonly MeshFacts Facts = Meshes.Located(
        Meshes.Of(("a1", 1, []), ("a2", 1, []), ("ahub", 2, []), ("b1", 1, []), ("bhub", 1, []), ("bhub2", 1, []), ("lone", 1, [])),
        c => (c.Contains("hub", StringComparison.Ordinal) ? "hub" : "", c[0] switch { 'a' => "eu", 'b' => "us", _ => "" }));

    static readonly HashSet<string> Nobody = [];

    static MeshGraph Of(Topology topology) => MeshGraph.Of(topology, Facts.Clusters);

    static ClusterFacts Named(string name) => Facts.Clusters.Single(c => c.Name == name);

    static string Way(MeshGraph graph, string from, string to) => graph.AreLinked(Named(from), Named(to)) ? "direct"
        : graph.AreConnected(Named(from), Named(to)) ? string.Join(",", graph.Carriers(Named(from), Named(to)).Select(c => c.Name)) : "none";

    [Theory]
    [InlineData("a1", "a2")]
    [InlineData("a1", "bhub")]
    public void In_a_full_mesh_all_are_linked(string from, string to) => Assert.Equal("direct", Way(Of(Topology.FullMesh), from, to));

    [Theory]
    [InlineData("a1", "a2", "ahub,bhub,bhub2")]
    [InlineData("a1", "ahub", "direct")]
    [InlineData("bhub", "ahub", "direct")]
    [InlineData("bhub", "lone", "direct")]
    public void Spokes_reach_each_other_by_all_hubs(string from, string to, string way) =>
        Assert.Equal(way, Way(Of(new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") }), from, to));

    [Fact]
    public void Without_transit_spokes_reach_hubs_only()
    {
        var graph = Of(new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub"), Transit = false });
        Assert.Equal("none", Way(graph, "a1", "a2"));
        Assert.Equal("direct", Way(graph, "a1", "ahub"));
        Assert.False(graph.Transits(Named("ahub")));
    }

    [Theory]
    [InlineData("a1", "a2", "direct")]
    [InlineData("a1", "ahub", "direct")]
    [InlineData("ahub", "bhub", "direct")]
    [InlineData("bhub", "bhub2", "direct")]
    [InlineData("a1", "bhub", "ahub")]
    [InlineData("a1", "b1", "ahub")]
    [InlineData("b1", "a1", "bhub,bhub2")]
    [InlineData("ahub", "b1", "bhub,bhub2")]
    [InlineData("bhub", "a1", "ahub")]
    [InlineData("a1", "lone", "none")]
    [InlineData("lone", "ahub", "none")]
    public void Regions_reach_each_other_by_their_hubs(string from, string to, string way) =>
        Assert.Equal(way, Way(Of(new Topology(TopologyKind.Regions) { Hubs = LabelSelector.Parse("role=hub") }), from, to));

    [Fact]
    public void Regions_may_be_named_by_any_label()
    {
        var graph = Of(new Topology(TopologyKind.Regions) { Hubs = LabelSelector.Parse("role=hub"), RegionLabel = "role" });
        Assert.Equal("hub", graph.RegionOf(Named("ahub")));
        Assert.Equal("direct", Way(graph, "ahub", "bhub"));
        Assert.Equal("direct", Way(graph, "a1", "b1"));
        Assert.Equal("none", Way(graph, "a1", "ahub"));
    }

    [Theory]
    [InlineData("a1", "bhub", "direct")]
    [InlineData("bhub2", "a2", "direct")]
    [InlineData("a1", "a2", "none")]
    [InlineData("bhub", "bhub2", "none")]
    public void Of_pairs_only_those_are_linked_that_are_named(string from, string to, string way) => Assert.Equal(way, Way(
        Of(new Topology(TopologyKind.Pairs) { Pairs = [new ClusterPair(LabelSelector.Parse("meshfabric.io/region=eu"), LabelSelector.Parse("role=hub,meshfabric.io/region=us"))] }), from, to));

    [Fact]
    public void A_machine_is_no_hub_and_a_hub_without_gateways_carries_nothing()
    {
        var topology = new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") };
        var machine = Facts.Clusters.Select(c => c.Name == "ahub" ? c with { Kind = ClusterKind.Machine } : c.Name == "bhub" ? c with { Gateways = [] } : c).ToList();
        var graph = MeshGraph.Of(topology, machine);
        Assert.False(graph.IsHub(machine.Single(c => c.Name == "ahub")));
        Assert.Equal(["bhub2"], graph.Carriers(machine.Single(c => c.Name == "a1"), machine.Single(c => c.Name == "a2")).Select(c => c.Name));
    }

    [Fact]
    public void Gateways_of_a_hub_group_get_numbers_that_no_other_one_of_it_has()
    {
        var graph = Of(new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") });
        var changes = HubOrdinals.Changes(graph, Nobody, out var excess);
        Assert.Empty(excess);
        // ahub has 0 and 1 and was first.
        Assert.Equal([("g-bhub-1", 2), ("g-bhub2-1", 3)], changes.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => (c.Key, c.Value)));
        var regions = Of(new Topology(TopologyKind.Regions) { Hubs = LabelSelector.Parse("role=hub") });
        Assert.Equal([("g-bhub2-1", 1)], HubOrdinals.Changes(regions, Nobody, out _).Select(c => (c.Key, c.Value)));
    }

    [Fact]
    public void Who_was_a_hub_before_keeps_its_number_whatever_its_name()
    {
        var graph = Of(new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") });
        var before = new HashSet<string>(["g-bhub2-1"], StringComparer.Ordinal);
        Assert.Equal([("g-ahub-1", 2), ("g-bhub-1", 3)], HubOrdinals.Changes(graph, before, out _).OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => (c.Key, c.Value)));
    }

    [Fact]
    public void Where_nothing_is_handed_on_numbers_do_not_matter() =>
        Assert.Empty(HubOrdinals.Changes(Of(new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub"), Transit = false }), Nobody, out _));

    [Fact]
    public void There_is_no_way_to_whom_has_no_gateway()
    {
        var pending = Facts.Clusters.Select(c => c.Name == "a2" ? c with { Gateways = [] } : c).ToList();
        var graph = MeshGraph.Of(new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") }, pending);
        Assert.False(graph.AreConnected(pending.Single(c => c.Name == "a1"), pending.Single(c => c.Name == "a2")));
    }

    [Fact]
    public void What_agents_say_of_their_cluster_makes_it_no_hub()
    {
        var told = Facts.Clusters.Select(c => c.Name == "a1" ? c with { Labels = [new Label("role", "hub")], Location = new ClusterLocation("", "us", "") } : c).ToList();
        var graph = MeshGraph.Of(new Topology(TopologyKind.Regions) { Hubs = LabelSelector.Parse("role=hub") }, told);
        var liar = told.Single(c => c.Name == "a1");
        Assert.False(graph.IsHub(liar));
        Assert.Equal("eu", graph.RegionOf(liar));
    }

    [Fact]
    public void A_hub_group_with_more_gateways_than_numbers_is_told_of_and_left_alone()
    {
        var facts = Meshes.Located(Meshes.Of(("a", 5, []), ("b", 4, [])), _ => ("hub", ""));
        Assert.Empty(HubOrdinals.Changes(MeshGraph.Of(new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") }, facts.Clusters), Nobody, out var excess));
        Assert.Equal(["a", "b"], Assert.Single(excess).Select(c => c.Name));
    }
}
