using CsCheck;
using k8s.Models;
using MeshFabric.Agent.Nodes;
using MeshFabric.Installation;

namespace MeshFabric.Tests.Agent.Nodes;

public sealed class GatewayElectionTests
{
    static readonly V1Node[] Three = [Node("a", "z1"), Node("b", "z1"), Node("c", "z2")];

    [Fact]
    public void Two_slots_go_to_two_nodes_of_different_zones()
    {
        var slots = GatewayElection.Slots(2, []);
        Assert.Equal(["gw1", null, "gw2"], Three.Select(n => GatewayElection.Choose(Three, slots, n.Metadata.Name)));
    }

    [Fact]
    public void A_slot_whose_holder_is_gone_goes_to_another_node_and_what_is_held_stays()
    {
        GatewaySlot[] slots = [new("gw1", "a", Expired: false), new("gw2", "gone", Expired: true)];
        Assert.Equal([null, null, "gw2"], Three.Select(n => GatewayElection.Choose(Three, slots, n.Metadata.Name)));
    }

    [Fact]
    public void A_holder_that_comes_back_before_another_took_its_slot_takes_it_itself()
    {
        GatewaySlot[] slots = [new("gw1", "a", Expired: false), new("gw2", "b", Expired: true)];
        Assert.Equal("gw2", GatewayElection.Choose(Three, slots, "b"));
    }

    [Fact]
    public void Labelled_nodes_are_preferred_and_the_control_plane_is_spared_while_there_are_others()
    {
        V1Node[] nodes = [Node("a", "z1", (InstallationNames.GatewayLabel, "true")), Node("b", "z1"), Node("m", "z1", ("node-role.kubernetes.io/control-plane", ""))];
        var one = GatewayElection.Slots(1, []);
        Assert.Equal(["gw1", null, null], nodes.Select(n => GatewayElection.Choose(nodes, one, n.Metadata.Name)));
        Assert.Equal([null, "gw1"], new[] { "m", "b" }.Select(n => GatewayElection.Choose(nodes[1..], one, n)));
        Assert.Equal("gw1", GatewayElection.Choose(nodes[2..], one, "m"));
    }

    [Fact]
    public void Nobody_takes_the_place_of_labelled_nodes_that_are_down()
    {
        var labelled = Node("a", "z1", (InstallationNames.GatewayLabel, "true"));
        labelled.Status.Conditions[0].Status = "Unknown";
        V1Node[] nodes = [labelled, Node("b", "z1")];
        Assert.All(nodes, n => Assert.Null(GatewayElection.Choose(nodes, GatewayElection.Slots(1, []), n.Metadata.Name)));
    }

    [Fact]
    public void A_node_that_may_no_longer_be_a_gateway_keeps_its_slot_until_another_can_take_it()
    {
        V1Node[] nodes = [Node("a", "z1", (InstallationNames.GatewayLabel, "false")), Node("b", "z1")];
        Assert.False(MayKeep(nodes, "a", [new GatewaySlot("gw1", "a", false)]));
        Assert.True(MayKeep(nodes, "a", [new GatewaySlot("gw1", "a", false), new GatewaySlot("gw2", "b", false)]));
        Assert.True(MayKeep(nodes, "b", [new GatewaySlot("gw1", "b", false)]));
    }

    [Fact]
    public void Slots_are_given_back_one_at_a_time_and_only_while_all_other_gateways_work()
    {
        V1Node[] nodes = [Node("a", "z1", (InstallationNames.GatewayLabel, "false")), Node("b", "z1", (InstallationNames.GatewayLabel, "false")), Node("c", "z1"), Node("d", "z1")];
        GatewaySlot[] both = [new("gw1", "a", false), new("gw2", "b", false)];
        GatewaySlot[] next = [new("gw1", "c", false), new("gw2", "b", false)];
        Assert.Equal([false, true], new[] { "a", "b" }.Select(n => MayKeep(nodes, n, both)));
        Assert.True(MayKeep(nodes, "b", [new("gw1", null, false), new("gw2", "b", false)]));
        Assert.True(GatewayElection.MayKeep(nodes, next, "b", (gateway, node) => gateway != "gw1"));
        Assert.False(MayKeep(nodes, "b", next));
    }

    [Fact]
    public void A_slot_that_the_best_node_does_not_take_goes_to_the_next_one_after_a_while()
    {
        GatewaySlot[] Free(int seconds) => [new("gw1", null, false) { FreeFor = TimeSpan.FromSeconds(seconds) }];
        Assert.Equal(["gw1", null, null], Three.Select(n => GatewayElection.Choose(Three, Free(0), n.Metadata.Name)));
        Assert.Equal(["gw1", "gw1", null], Three.Select(n => GatewayElection.Choose(Three, Free(5), n.Metadata.Name)));
        Assert.Equal(["gw1", "gw1", "gw1"], Three.Select(n => GatewayElection.Choose(Three, Free(10), n.Metadata.Name)));
    }

    [Fact]
    public void Whatever_the_state_no_slot_is_chosen_by_two_nodes_and_none_that_is_held() =>
        Gen.Int[1, 8].Select(Gen.Int[1, 8], Gen.Int[-1, 8].Array[8], Gen.Bool.Array[8]).Sample((count, wanted, holders, expired) =>
        {
            var nodes = Enumerable.Range(0, count).Select(i => Node($"n{i}", $"z{i % 3}")).ToArray();
            var known = holders.Distinct().Where(h => h >= 0).Take(wanted).Select((h, i) => new GatewaySlot($"gw{i + 1}", $"n{h}", expired[i])).ToList();
            var slots = GatewayElection.Slots(wanted, known);

            var chosen = nodes.Select(n => GatewayElection.Choose(nodes, slots, n.Metadata.Name)).OfType<string>().ToList();

            Assert.All(chosen, c => Assert.True(slots.Single(s => s.Name == c).IsFree));
            // A node that comes back may want the slot that another is about to take: the lease decides between them.
            var returning = slots.Count(s => s.Expired && nodes.Any(n => n.Metadata.Name == s.Holder));
            Assert.True(chosen.Count - chosen.Distinct().Count() <= returning);
        });

    static bool MayKeep(V1Node[] nodes, string node, GatewaySlot[] slots) => GatewayElection.MayKeep(nodes, slots, node, (_, _) => true);

    static V1Node Node(string name, string zone, params (string Key, string Value)[] labels) => new()
    {
        Metadata = new V1ObjectMeta { Name = name, Labels = labels.Append(("topology.kubernetes.io/zone", zone)).ToDictionary(l => l.Item1, l => l.Item2) },
        Status = new V1NodeStatus { Conditions = [new V1NodeCondition { Type = "Ready", Status = "True" }] },
    };
}
