using System.Net;
using CsCheck;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Tests.Domain.Planning;

public sealed class MeshPlannerTests
{
    static readonly MeshFacts Three = Meshes.Of(("aurora", 2, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]), ("cirrus", 2, ["10.20.0.0/16"]));

    [Fact]
    public void Disjoint_clusters_run_without_any_translation()
    {
        var config = Meshes.Plan(Meshes.Of(("a", 1, ["10.10.0.0/16"]), ("b", 1, ["10.20.0.0/16"])), "a");
        Assert.Empty(config.Firewall.Translations);
        Assert.Empty(config.Findings);
    }

    [Fact]
    public void A_gateway_has_one_device_per_plane_and_one_peer_per_far_cluster_on_it()
    {
        var config = Meshes.Plan(Three, "aurora", ordinal: 1);
        Assert.Equal(["mf0", "mf1"], config.Devices.Select(d => d.Name));
        Assert.Equal([51820, 51821], config.Devices.Select(d => d.ListenPort));
        Assert.All(config.Devices, d => Assert.Equal(["borealis", "cirrus"], d.Peers.Select(p => p.Cluster).Order()));
        Assert.All(config.Devices, d => Assert.All(d.Peers, p => Assert.Equal($"gw{d.Plane + 1}", p.Gateway)));
    }

    [Fact]
    public void Each_side_sees_an_overlapping_cluster_by_an_address_it_can_tell_from_its_own()
    {
        var destinations = (string name) => Meshes.Plan(Three, name).Routes.Where(r => r.NextHops.Count > 0).Select(r => r.Destination.ToString()).Where(d => d.EndsWith("/16", StringComparison.Ordinal));
        Assert.Equal(["10.20.0.0/16", "100.64.0.0/16"], destinations("aurora"));
        Assert.Equal(["10.10.0.0/16", "100.64.0.0/16"], destinations("borealis"));
        Assert.Equal(["10.10.0.0/16", "100.65.0.0/16"], destinations("cirrus"));
    }

    [Fact]
    public void Advertised_services_are_reached_like_pods_and_translated_by_their_own_gateways_alone()
    {
        var services = new MeshPrefix(Cidr.Parse("10.96.0.0/16"), Cidr.Parse("100.70.0.0/16")) { Services = true };
        var facts = Three with { Clusters = Three.Clusters.Select(c => c.Name == "aurora" ? c with { Prefixes = [.. c.Prefixes, services] } : c).ToValueList() };

        var own = Meshes.Plan(facts, "aurora").Firewall;
        Assert.Equal([new Translation(services.Local, services.Mesh, []) { Services = true }], own.Translations);
        Assert.Equal([Cidr.Parse("10.10.0.0/16")], own.LocalPrefixes);
        Assert.Equal([services.Local], own.ServicePrefixes);
        var far = Meshes.Plan(facts, "cirrus", ordinal: 1);
        Assert.Contains(far.Routes, r => r.Destination == services.Mesh);
        Assert.All(far.Devices.SelectMany(d => d.Peers).Where(p => p.Cluster == "aurora"), p => Assert.Contains(services.Mesh, p.AllowedIps));
        Assert.Equal(1, far.Ordinal);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(3, 0, 0)]
    [InlineData(3, 2, 2)]
    [InlineData(2, 3, 2)]
    public void A_tunnel_has_the_newest_key_that_both_sides_hold(int own, int far, int wanted)
    {
        var facts = Three with
        {
            Clusters = Three.Clusters.Select(c => c with { Gateways = c.Gateways.Select(g => g with { KeyEpoch = c.Name == "aurora" ? own : far }).ToValueList() }).ToValueList(),
        };
        foreach (var cluster in new[] { "aurora", "borealis" })
        {
            var other = cluster == "aurora" ? "borealis" : "aurora";
            Assert.All(Meshes.Plan(facts, cluster).Devices.SelectMany(d => d.Peers).Where(p => p.Cluster == other), p => Assert.Equal(wanted, p.KeyEpoch));
        }

        Assert.Equal(new[] { own, far }.Where(e => e > 0).DefaultIfEmpty().Min(), facts.OldestKeyEpoch);
    }

    [Fact]
    public void Every_route_can_take_every_gateway_of_the_far_cluster() =>
        Assert.All(Meshes.Plan(Three, "aurora").Routes.Where(r => r.Destination.Length == 16 && r.NextHops.Count > 0), r => Assert.Equal(["mf0", "mf1"], r.NextHops.Select(h => h.Device)));

    [Fact]
    public void A_gateway_that_is_not_in_the_facts_runs_nothing_and_is_told_so()
    {
        var config = MeshPlanner.Plan(Three, Meshes.Id("aurora"), "g-stranger");
        Assert.Empty(config.Devices);
        Assert.Empty(config.Routes);
        Assert.Equal("gateway-unknown", Assert.Single(config.Findings).Code);
    }

    [Fact]
    public void Two_gateways_that_can_only_dial_out_and_that_nobody_sees_have_a_tunnel_that_carries_nothing_and_a_finding()
    {
        var silent = Three with { Clusters = Three.Clusters.Select(c => c with { Gateways = c.Gateways.Select(g => g with { Endpoints = [] }).ToValueList() }).ToValueList() };
        var config = Meshes.Plan(silent, "aurora");
        Assert.All(config.Devices.SelectMany(d => d.Peers), p => Assert.Empty(p.Candidates));
        // What is for the others must not leave in clear.
        Assert.Equal(Meshes.Plan(Three, "aurora").Routes, config.Routes);
        Assert.Equal(4, config.Findings.Count(f => f.Code == "tunnel-no-endpoint"));
    }

    [Fact]
    public void Two_gateways_that_can_only_dial_out_try_what_others_see_of_them_and_the_relays_each_by_its_own_port()
    {
        var facts = Meshes.Hidden(Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]), ("cirrus", 1, ["10.30.0.0/16"]), ("delta", 1, ["10.40.0.0/16"])), "aurora", "borealis");
        facts = facts with
        {
            Clusters = facts.Clusters.Select(c => c.Name != "aurora" ? c : c with
            {
                Gateways = [c.Gateways[0] with { PrivateEndpoints = [UdpEndpoint.Parse("192.168.0.11:51820")], ObservedEndpoints = [new(0, UdpEndpoint.Parse("203.0.113.7:1000")), new(1, UdpEndpoint.Parse("203.0.113.7:1001"))] }],
            }).ToValueList(),
        };
        var (first, second) = (Peer(Meshes.Plan(facts, "borealis", 0), "aurora"), Peer(Meshes.Plan(facts, "borealis", 1), "aurora"));
        Assert.Equal(["private 192.168.0.11:51820", "observed 203.0.113.7:1000"], Texts(first).Take(2));
        // Its second gateway is answered by another device, with a port and a mapping of its own.
        Assert.Equal(["private 192.168.0.11:51821", "observed 203.0.113.7:1001"], Texts(second).Take(2));

        var back = Peer(Meshes.Plan(facts, "aurora"), "borealis");
        Assert.NotEqual(back.Initiates, first.Initiates);
        foreach (var relay in new[] { "cirrus/gw1", "delta/gw1" })
        {
            var (ours, theirs) = (first.Candidates.Single(c => c.Relay == relay).Endpoint, back.Candidates.Single(c => c.Relay == relay).Endpoint);
            Assert.Equal(ours.Address, theirs.Address);
            Assert.NotEqual(ours.Port, theirs.Port);
            var pair = Meshes.Plan(facts, relay[..relay.IndexOf('/')]).Relays.Single(r => (r.First.Port, r.Second.Port) == (Math.Min(ours.Port, theirs.Port), Math.Max(ours.Port, theirs.Port)));
            Assert.Equal(ours.Port, pair.First.Cluster == "borealis" ? pair.First.Port : pair.Second.Port);
        }

        static TunnelPeer Peer(GatewayConfig config, string cluster) => config.Devices.SelectMany(d => d.Peers).First(p => p.Cluster == cluster);

        static IEnumerable<string> Texts(TunnelPeer peer) => peer.Candidates.Select(c => $"{c.Kind.ToString().ToLowerInvariant()} {c.Endpoint}");
    }

    [Fact]
    public void A_gateway_without_endpoint_is_the_one_that_initiates()
    {
        var facts = Three with { Clusters = Three.Clusters.Select(c => c.Name == "aurora" ? c with { Gateways = c.Gateways.Select(g => g with { Endpoints = [] }).ToValueList() } : c).ToValueList() };
        Assert.All(Meshes.Plan(facts, "aurora").Devices.SelectMany(d => d.Peers), p => Assert.True(p.Initiates));
        Assert.All(Meshes.Plan(facts, "borealis").Devices.SelectMany(d => d.Peers).Where(p => p.Cluster == "aurora"), p => Assert.False(p.Initiates));
    }

    [Fact]
    public void A_contradicting_cluster_costs_only_itself()
    {
        var intruder = Three.Clusters[1] with { Id = "c-x", Name = "x", Revision = 99, Gateways = [] };
        var config = Meshes.Plan(Three with { Clusters = [.. Three.Clusters, intruder] }, "aurora");
        Assert.Equal(Meshes.Plan(Three, "aurora").Routes, config.Routes);
        Assert.Contains(config.Findings, f => f is { Code: "prefix-overlap", Subject: "cluster/x" });
    }

    [Fact]
    public void The_order_of_the_facts_does_not_matter() => Meshes.Any.Sample(facts =>
    {
        var reversed = facts with { Clusters = facts.Clusters.Reverse().Select(c => c with { Gateways = c.Gateways.Reverse().ToValueList(), Prefixes = c.Prefixes.Reverse().ToValueList() }).ToValueList() };
        foreach (var (cluster, gateway) in Meshes.Gateways(facts))
        {
            Assert.Equal(MeshPlanner.Plan(facts, cluster.Id, gateway.Id), MeshPlanner.Plan(reversed, cluster.Id, gateway.Id));
        }
    });

    [Fact]
    public void Of_each_tunnel_exactly_one_side_initiates_and_it_dials_the_device_that_answers() => Meshes.Any.Sample(facts =>
    {
        foreach (var (near, gateway) in Meshes.Gateways(facts))
        {
            foreach (var device in MeshPlanner.Plan(facts, near.Id, gateway.Id).Devices)
            {
                foreach (var peer in device.Peers)
                {
                    var far = facts.Clusters.Single(c => c.Name == peer.Cluster);
                    var answering = MeshPlanner.Plan(facts, far.Id, far.Gateways.Single(g => g.Name == peer.Gateway).Id)
                        .Devices.Single(d => d.Peers.Any(p => p.PublicKey == gateway.PublicKey));
                    Assert.Equal(answering.ListenPort, Assert.Single(peer.Endpoints).Port);
                    Assert.NotEqual(peer.Initiates, answering.Peers.Single(p => p.PublicKey == gateway.PublicKey).Initiates);
                }
            }
        }
    });

    [Fact]
    public void No_two_peers_of_a_device_share_an_address_and_every_route_has_its_peer() => Meshes.Any.Sample(facts =>
    {
        foreach (var (cluster, gateway) in Meshes.Gateways(facts))
        {
            var config = MeshPlanner.Plan(facts, cluster.Id, gateway.Id);
            foreach (var device in config.Devices)
            {
                var allowed = device.Peers.SelectMany(p => p.AllowedIps).Order().ToList();
                Assert.All(allowed.Zip(allowed.Skip(1)), pair => Assert.False(pair.First.Overlaps(pair.Second)));
            }

            Assert.All(config.Routes, r => Assert.All(r.NextHops, h => Assert.Contains(r.Destination,
                config.Devices.Single(d => d.Name == h.Device).Peers.Single(p => p.Cluster == h.Cluster && p.Gateway == h.Gateway).AllowedIps)));
            Assert.All(config.Routes, r => Assert.DoesNotContain(cluster.Prefixes, p => p.Local.Overlaps(r.Destination)));
        }
    });

    [Fact]
    public void A_packet_between_any_two_pods_arrives_and_so_does_its_answer() => Meshes.Any.Sample(facts =>
    {
        foreach (var near in facts.Clusters)
        {
            foreach (var far in facts.Clusters.Where(c => c.Id != near.Id))
            {
                var nearFirewall = MeshPlanner.Plan(facts, near.Id, near.Gateways[^1].Id).Firewall;
                var farFirewall = MeshPlanner.Plan(facts, far.Id, far.Gateways[0].Id).Firewall;
                foreach (var (from, to) in near.Prefixes.SelectMany(f => far.Prefixes.Where(t => t.Local.Family == f.Local.Family).Select(t => (f, t))))
                {
                    var source = from.Local.LastAddress;
                    var target = to.Local.LastAddress;
                    var dialled = to.Local.Translate(target, to.SeenBy(near.Prefixes)!);
                    var sent = (Source: Out(nearFirewall, source, dialled), Destination: dialled);
                    var arrived = (sent.Source, Destination: In(farFirewall, sent.Destination));
                    Assert.Equal(target, arrived.Destination);
                    var answer = (Source: Out(farFirewall, target, arrived.Source), Destination: arrived.Source);
                    Assert.Equal(source, In(nearFirewall, answer.Destination));
                    Assert.Equal(dialled, answer.Source);
                }
            }
        }
    });

    // What the nft tables do, in two lines each: the reference for the real ones.
    static IPAddress Out(FirewallConfig firewall, IPAddress source, IPAddress destination) =>
        firewall.Translations.FirstOrDefault(t => t.Local.Contains(source) && (t.Destinations.Count == 0 || t.Destinations.Any(d => d.Contains(destination)))) is { } translation
            ? translation.Local.Translate(source, translation.Outside) : source;

    static IPAddress In(FirewallConfig firewall, IPAddress destination) =>
        firewall.Translations.FirstOrDefault(t => t.Outside.Contains(destination)) is { } translation
            ? translation.Outside.Translate(destination, translation.Local) : destination;

    [Fact]
    public void Beacons_are_probed_as_they_are_seen_and_only_where_there_is_a_choice_of_gateways()
    {
        var facts = Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]), ("cirrus", 2, ["10.20.0.0/16"]));
        facts = facts with { Clusters = facts.Clusters.Select(c => c with { Beacons = c.Name == "aurora" ? [Cidr.Parse("10.10.1.1/32")] : [Cidr.Parse("10.20.1.1/32"), Cidr.Parse("10.99.0.1/32")] }).ToValueList() };
        var beacons = (string from, string to) => Meshes.Plan(facts, from).Devices.SelectMany(d => d.Peers).Where(p => p.Cluster == to).Select(p => string.Join(",", p.Beacons)).Distinct().Single();
        Assert.Equal("10.20.1.1/32", beacons("aurora", "borealis"));
        Assert.Equal("100.64.1.1/32", beacons("aurora", "cirrus"));
        Assert.Equal("", beacons("borealis", "aurora"));
    }

    [Fact]
    public void A_drained_gateway_is_a_spare_and_sent_nothing_but_probes_unless_all_of_its_cluster_are_drained()
    {
        var facts = Meshes.Of(("aurora", 2, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]));
        var one = MeshPlanner.Plan(Drain(facts, "gw1"), Meshes.Id("aurora"), Meshes.GatewayId("aurora", 0));
        var route = one.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16"));
        Assert.Equal(("gw2", "gw1"), (Assert.Single(route.NextHops).Gateway, Assert.Single(route.Spares!).Gateway));
        Assert.Equal(["mf0", "mf1"], one.Devices.Select(d => d.Name));
        Assert.Contains(one.Routes, r => r.Destination.Length == 32 && r.NextHops[0].Gateway == "gw1");

        var all = MeshPlanner.Plan(Drain(facts, "gw1", "gw2"), Meshes.Id("aurora"), Meshes.GatewayId("aurora", 0));
        route = all.Routes.Single(r => r.Destination == Cidr.Parse("10.20.0.0/16"));
        Assert.Equal((2, null), (route.NextHops.Count, route.Spares));
        Assert.True(MeshPlanner.Plan(Drain(facts, "gw1"), Meshes.Id("borealis"), Meshes.GatewayId("borealis", 0)).Drained);

        static MeshFacts Drain(MeshFacts facts, params string[] gateways) => facts with
        {
            Clusters = facts.Clusters.Select(c => c.Name != "borealis" ? c : c with { Gateways = c.Gateways.Select(g => g with { Drained = gateways.Contains(g.Name) }).ToValueList() }).ToValueList(),
        };
    }
}
