using System.Net;
using CsCheck;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Tests.Domain.Planning;

public sealed class NodePlannerTests
{
    static readonly ValueList<string> Tunnels = ["mf0", "mf1"];

    [Fact]
    public void A_node_without_a_gateway_in_its_cluster_runs_nothing() =>
        Assert.Equal(NodeConfig.None("n1"), Plan(Facts(gateways: []), "n1"));

    [Fact]
    public void A_node_that_the_others_do_not_know_runs_nothing() =>
        Assert.Equal(NodeConfig.None("n9"), Plan(Facts(), "n9"));

    [Fact]
    public void A_worker_steers_the_mesh_to_both_gateways_and_each_gateways_own_address_to_that_one()
    {
        var config = Plan(Facts(), "n3");

        Assert.Equal(["n1", "n2"], config.Overlay!.Peers.Select(p => p.Node));
        var mesh = config.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16"));
        Assert.Equal(["192.0.2.1", "192.0.2.2"], mesh.Hops.Select(h => h.ToString()));
        Assert.Equal(("10.10.3.1", NodePlanner.GatewayTable, 1380), (mesh.Source!.ToString(), mesh.Table, mesh.Mtu));
        Assert.Equal(["192.0.2.2"], config.Routes.Single(r => r.Destination == Cidr.Parse("198.19.0.2/32")).Hops.Select(h => h.ToString()));
        Assert.All(config.Rules, r => Assert.Equal((NodePlanner.GatewayPriority, NodePlanner.GatewayTable), (r.Priority, r.Table)));
    }

    [Fact]
    public void A_dead_gateway_carries_nothing_but_the_probes_and_when_all_are_dead_all_carry()
    {
        var one = NodePlanner.Plan(Facts(), "n3", g => g != "gw1", [], judgesForwarding: false);
        Assert.Equal(["192.0.2.2"], one.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).Hops.Select(h => h.ToString()));
        Assert.Contains(one.Routes, r => r.Destination == Cidr.Parse("198.19.0.1/32"));

        var none = NodePlanner.Plan(Facts(), "n3", _ => false, [], judgesForwarding: false);
        Assert.Equal(2, none.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).Hops.Count);
    }

    [Fact]
    public void A_gateway_sends_what_comes_out_of_its_tunnels_to_the_nodes_by_the_overlay()
    {
        var config = Plan(Facts(), "n1");

        Assert.Equal(["n2", "n3"], config.Overlay!.Peers.Select(p => p.Node));
        Assert.All(config.Routes.Where(r => r.Table != NodePlanner.GatewayTable), r => Assert.Equal(NodePlanner.PodTable, r.Table));
        Assert.Equal(["192.0.2.3"], config.Routes.Single(r => r.Destination == Cidr.Parse("10.10.3.0/24")).Hops.Select(h => h.ToString()));
        Assert.Contains(config.Rules, r => r is { InputDevice: "mf1", Table: NodePlanner.PodTable });
        Assert.Contains(config.Rules, r => r.Source == Cidr.Parse("198.19.0.1/32"));
        Assert.Equal(["10.10.2.0/24", "10.10.3.0/24"], config.Firewall.Elsewhere.Select(c => c.ToString()));
    }

    [Fact]
    public void A_pod_with_an_address_of_another_nodes_prefix_is_reached_on_its_own_node()
    {
        var facts = Facts();
        var (ofSelf, ofWorker) = (Cidr.Parse("10.10.3.9/32"), Cidr.Parse("10.10.2.9/32"));
        var config = Plan(facts with
        {
            Nodes = facts.Nodes.Select(n => n.Name switch
            {
                "n1" => n with { PodPrefixes = [.. n.PodPrefixes, ofSelf] },
                "n3" => n with { PodPrefixes = [.. n.PodPrefixes, ofWorker] },
                _ => n,
            }).ToValueList(),
        }, "n1");

        Assert.Equal(["192.0.2.3"], config.Routes.Single(r => r.Destination == ofWorker).Hops.Select(h => h.ToString()));
        Assert.Empty(config.Routes.Single(r => r.Destination == ofSelf).Hops);
        Assert.Equal(["10.10.2.0/24", "10.10.3.0/24"], config.Firewall.Elsewhere.Select(c => c.ToString()));
        Assert.Equal([ofSelf], config.Firewall.Lent);
    }

    [Fact]
    public void Where_services_are_advertised_a_node_sends_answers_back_by_the_gateway_that_translated_the_question()
    {
        var config = Plan(WithServices(Facts()), "n3");

        Assert.Equal((NodePlanner.ServiceOverlayName, NodePlanner.ServiceVni), (config.ServiceOverlay!.Name, config.ServiceOverlay.Vni));
        Assert.Equal(config.Overlay!.Peers, config.ServiceOverlay.Peers);
        Assert.Equal([new ReturnMark(NodePlanner.HardwareAddress("n1"), 1), new ReturnMark(NodePlanner.HardwareAddress("n2"), 2)], config.Firewall.ReturnMarks);
        var back = config.Routes.Where(r => r.Device == NodePlanner.ServiceOverlayName).ToList();
        Assert.Equal([(7720, "192.0.2.1"), (7721, "192.0.2.2")], back.Where(r => r.Destination == Cidr.Parse("10.20.0.0/16")).Select(r => (r.Table, r.Hops.Single().ToString())));
        Assert.Equal([(104, 7720, 1), (104, 7721, 2)], config.Rules.Where(r => r is { Mark: > 0, IsIPv4: true }).Select(r => (r.Priority, r.Table, r.Mark)));
        Assert.False(config.Firewall.TranslatesServices);
    }

    [Fact]
    public void A_gateway_sends_what_its_service_proxy_translated_by_the_overlay_that_remembers_it()
    {
        var config = Plan(WithServices(Facts()), "n2");

        Assert.True(config.Firewall.TranslatesServices);
        Assert.Equal([new ReturnMark(NodePlanner.HardwareAddress("n1"), 1)], config.Firewall.ReturnMarks);
        var toPods = config.Routes.Where(r => r.Table == NodePlanner.ServiceTable).ToList();
        Assert.Equal(["10.10.1.0/24", "10.10.3.0/24"], toPods.Select(r => r.Destination.ToString()));
        Assert.All(toPods, r => Assert.Equal(NodePlanner.ServiceOverlayName, r.Device));
        Assert.Contains(config.Rules, r => r is { Priority: NodePlanner.ServicePriority, Table: NodePlanner.ServiceTable, Mark: NodePlanner.TranslatedMark });
    }

    [Fact]
    public void A_cluster_that_advertises_no_services_has_one_overlay_and_no_marks()
    {
        var config = Plan(Facts(), "n2");
        Assert.Null(config.ServiceOverlay);
        Assert.Empty(config.Firewall.ReturnMarks);
        Assert.All(config.Rules, r => Assert.Equal(0, r.Mark));
    }

    [Fact]
    public void A_prefix_that_contains_the_nodes_own_address_is_left_out_and_said()
    {
        var facts = Facts();
        var wide = facts with { Gateways = facts.Gateways.Select(g => g with { RemotePrefixes = [Cidr.Parse("10.20.0.0/16"), Cidr.Parse("192.0.0.0/8")] }).ToValueList() };

        var config = Plan(wide, "n3");

        Assert.DoesNotContain(config.Routes, r => r.Destination == Cidr.Parse("192.0.0.0/8"));
        Assert.Equal("prefix-covers-node", Assert.Single(config.Findings).Code);
    }

    [Fact]
    public void A_node_without_an_address_among_the_pods_speaks_with_its_own()
    {
        var facts = Facts();
        var plain = facts with { Nodes = facts.Nodes.Select(n => n with { Sources = [] }).ToValueList() };

        var config = Plan(plain, "n3");

        Assert.Equal("192.0.2.3", config.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16")).Source!.ToString());
        Assert.Empty(config.Firewall.Sources);
    }

    [Fact]
    public void The_port_is_one_that_no_node_uses_for_something_else()
    {
        Assert.Equal(7710, NodePlanner.ChoosePort(Facts().Nodes, null));
        Assert.Equal(7714, NodePlanner.ChoosePort([Node(1) with { TakenPorts = [7710] }, Node(2) with { TakenPorts = [7712] }], 7710));
        Assert.Equal(7710, NodePlanner.ChoosePort([Node(1) with { TakenPorts = NodePlanner.Ports }], null));
    }

    [Fact]
    public void The_port_stays_what_it_is_when_a_better_one_is_free_again()
    {
        Assert.Equal(7714, NodePlanner.ChoosePort([Node(1)], 7714));
        Assert.Equal(7714, NodePlanner.ChoosePort([Node(1) with { TakenPorts = NodePlanner.Ports }], 7714));
        Assert.Equal(7710, NodePlanner.ChoosePort([Node(1)], 4789));
    }

    [Fact]
    public void Gateways_too_ask_the_table_that_refuses_what_nothing_carries()
    {
        var config = Plan(Facts(), "n1");

        Assert.Contains(config.Rules, r => r is { Priority: NodePlanner.GatewayPriority, Table: NodePlanner.GatewayTable, InputDevice: null });
        Assert.DoesNotContain(Plan(Facts(), "n1", _ => false).Routes, r => r.Table == NodePlanner.GatewayTable && r.Destination == Cidr.Parse("10.20.0.0/16"));
    }

    [Fact]
    public void What_is_for_the_mesh_is_known_from_a_gateway_whose_node_is_gone_until_another_one_decides()
    {
        var facts = Facts();
        var gone = facts with { Gateways = [facts.Gateways[0] with { Node = "gone" }] };
        var left = Plan(gone, "n3");
        Assert.Equal(facts.Gateways[0].RemotePrefixes, left.Firewall.RemotePrefixes);
        Assert.DoesNotContain(left.Routes, r => r.Destination == Cidr.Parse("10.20.0.0/16"));
        Assert.Contains(left.Rules, r => r.Table == NodePlanner.GatewayTable);

        var both = facts with { Gateways = [facts.Gateways[0] with { Node = "gone", Port = 7716 }, facts.Gateways[1]] };
        Assert.Equal("gw2", both.Lead!.Name);
        Assert.Equal(7710, Plan(both, "n3").Overlay!.Port);
    }

    [Fact]
    public void A_gateway_reaches_the_mesh_by_another_one_that_is_alive_where_its_own_tunnels_do_not_carry()
    {
        var detour = Plan(Facts(), "n1").Routes.Single(r => r.Table == NodePlanner.GatewayTable && r.Destination == Cidr.Parse("10.20.0.0/16"));
        Assert.Equal(["192.0.2.2"], detour.Hops.Select(h => h.ToString()));
    }

    [Fact]
    public void Hardware_addresses_are_local_unicast_and_link_local_ones_made_from_them()
    {
        Assert.Equal("fe80::ff:fe00:1", NodePlanner.LinkLocal("020000000001").ToString());
        Gen.String[Gen.Char['a', 'z'], 1, 60].Sample(name =>
        {
            var mac = Convert.FromHexString(NodePlanner.HardwareAddress(name));
            Assert.Equal((6, 2), (mac.Length, mac[0] & 3));
        });
    }

    [Fact]
    public void The_order_of_the_facts_does_not_matter() =>
        Gen.Shuffle(Facts().Nodes.ToArray()).Select(Gen.Shuffle(Facts().Gateways.ToArray()), Gen.Int[1, 3]).Sample((nodes, gateways, self) =>
            Assert.Equal(Plan(Facts(), $"n{self}"), Plan(new OverlayFacts(gateways.ToValueList(), nodes.ToValueList()), $"n{self}")));

    [Fact]
    public void No_two_routes_of_a_table_have_one_destination_and_all_hops_are_peers() =>
        Gen.Int[1, 40].Select(Gen.Int[0, 8], Gen.Int[1, 40]).Sample((count, gateways, self) =>
        {
            var nodes = Enumerable.Range(1, count).Select(Node).ToValueList();
            var facts = new OverlayFacts(Enumerable.Range(1, Math.Min(gateways, count)).Select(Gateway).ToValueList(), nodes);

            var config = Plan(self % 2 == 0 ? facts : WithServices(facts), $"n{Math.Min(self, count)}");

            Assert.Equal(config.Routes.Count, config.Routes.Select(r => (r.Table, r.Destination)).Distinct().Count());
            var reachable = config.Overlay?.Peers.SelectMany(p => new[] { p.Host, p.Hop6 }).ToHashSet() ?? [];
            Assert.All(config.Routes.SelectMany(r => r.Hops), h => Assert.Contains(h, reachable));
            Assert.DoesNotContain(config.Overlay?.Peers ?? [], p => p.Node == config.Node);
        });

    static OverlayFacts WithServices(OverlayFacts facts) => facts with
    {
        Gateways = facts.Gateways.Select((g, i) => g with { Ordinal = i, ServicePrefixes = [Cidr.Parse("10.96.0.0/16")] }).ToValueList(),
    };

    static NodeConfig Plan(OverlayFacts facts, string node, Func<string, bool>? isAlive = null) => NodePlanner.Plan(facts, node, isAlive ?? (_ => true), Tunnels, judgesForwarding: false);

    static OverlayFacts Facts(ValueList<OverlayGateway>? gateways = null) => new(gateways ?? [Gateway(1), Gateway(2)], [Node(1), Node(2), Node(3)]);

    static OverlayGateway Gateway(int n) => new($"gw{n}", $"n{n}", 7710, 1380, [Cidr.Parse("10.10.0.0/16")], [Cidr.Parse("10.20.0.0/16"), Cidr.Parse("fd10:20::/48")], [Cidr.Parse($"198.19.0.{n}/32")]);

    static OverlayNode Node(int n) => new($"n{n}", IPAddress.Parse($"192.0.2.{n}"), [Cidr.Parse($"10.10.{n}.0/24")], [IPAddress.Parse($"10.10.{n}.1")], []);
}
