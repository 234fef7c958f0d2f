using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Tests.Domain.Planning;

namespace MeshFabric.Tests.Agent.Reconciling;

public sealed class InheritedRoutesTests
{
    static readonly DateTimeOffset Started = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly GatewayConfig Config = MeshPlanner.Plan(Meshes.Of(("aurora", 2, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]), ("cirrus", 2, ["10.30.0.0/16"])), "c-aurora", "g-aurora-1");

    [Fact]
    public void What_carried_at_the_start_carries_and_what_had_been_left_does_not()
    {
        var inherited = Of("10.20.0.0/16 mf1", "10.30.0.0/16 mf0,mf1");
        Assert.Equal([("borealis", "gw2"), ("cirrus", "gw1"), ("cirrus", "gw2")], Hops().Where(h => inherited.Carried(h, Started) == true).Select(h => (h.Cluster, h.Gateway)));
        Assert.Equal([("borealis", "gw1")], Hops().Where(h => inherited.Carried(h, Started) == false).Select(h => (h.Cluster, h.Gateway)));
    }

    [Fact]
    public void Of_a_cluster_that_there_was_no_route_to_or_only_a_refusal_nothing_is_said()
    {
        var inherited = Of("10.20.0.0/16 ");
        Assert.All(Hops(), h => Assert.Null(inherited.Carried(h, Started)));
    }

    [Fact]
    public void The_routes_to_the_far_gateways_themselves_say_nothing_for_they_are_always_there()
    {
        var inherited = Of([.. Config.Devices.SelectMany(d => d.Peers.SelectMany(p => p.TunnelAddresses.Select(a => $"{a} {d.Name}")))]);
        Assert.All(Hops(), h => Assert.Null(inherited.Carried(h, Started)));
    }

    [Fact]
    public void They_count_for_a_few_seconds_only()
    {
        var (inherited, hop) = (Of("10.20.0.0/16 mf1"), Hops().First());
        Assert.NotNull(inherited.Carried(hop, Started + InheritedRoutes.Lifetime - TimeSpan.FromMilliseconds(1)));
        Assert.Null(inherited.Carried(hop, Started + InheritedRoutes.Lifetime));
    }

    static IEnumerable<NextHop> Hops() => Config.Routes.Where(r => r.Destination.Length == 16).SelectMany(r => r.NextHops);

    static InheritedRoutes Of(params string[] routes) => new(
        Config,
        routes.Select(r => r.Split(' ')).Select(r => new InstalledRoute(Cidr.Parse(r[0]), null, r[1].Split(',', StringSplitOptions.RemoveEmptyEntries).ToValueList(), 0)).ToValueList(),
        Started);
}
