using System.Net;
using MeshFabric.Net;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Host.Tests.Agent;

public sealed class RouteNetlinkTests
{
    const byte Ours = 77;
    const uint Main = 254;

    [Fact]
    public void Routes_are_added_replaced_and_deleted_and_foreign_ones_are_left_alone()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var a = Bridge(netlink, "br-a");
        var b = Bridge(netlink, "br-b");
        host.Exec("ip", "route", "add", "192.0.2.0/24", "dev", "br-a");
        var single = Route("10.1.0.0/16", a);
        var both = Route("10.2.0.0/16", a, b);
        netlink.ChangeRoutes([single, both], []);
        Assert.Equal([single, both], netlink.Routes(Ours));
        var moved = Route("10.1.0.0/16", b);
        netlink.ChangeRoutes([moved], [both]);
        Assert.Equal([moved], netlink.Routes(Ours));
        Assert.Contains("192.0.2.0/24", host.Exec("ip", "route"), StringComparison.Ordinal);
    }

    [Fact]
    public void Ten_thousand_routes_go_in_and_out_in_batches()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var link = Bridge(netlink, "br-a");
        var routes = Enumerable.Range(0, 10_000).Select(i => Route($"10.{i / 256}.{i % 256}.0/24", link)).ToList();
        netlink.ChangeRoutes(routes, []);
        Assert.Equal(10_000, netlink.Routes(Ours).Count);
        netlink.ChangeRoutes([], routes);
        Assert.Empty(netlink.Routes(Ours));
    }

    [Fact]
    public void An_IPv6_route_moves_to_another_device_without_a_second_one_appearing()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var (a, b) = (Bridge(netlink, "br-a"), Bridge(netlink, "br-b"));
        netlink.ChangeRoutes([Route("fd10:2::/48", a)], []);
        netlink.ChangeRoutes([Route("fd10:2::/48", b)], []);
        Assert.Equal([new RouteHop(b)], Assert.Single(netlink.Routes(Ours)).Hops);
    }

    [Fact]
    public void A_link_that_exists_is_refused_with_what_was_tried()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        netlink.AddLink("br-a", "bridge");
        var refused = Assert.Throws<NetlinkException>(() => netlink.AddLink("br-a", "bridge"));
        Assert.StartsWith("adding the bridge link br-a", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_socket_opened_in_a_namespace_does_not_see_the_hosts_links()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        Assert.Equal(["lo"], netlink.Links().Select(l => l.Name));
        Assert.Null(netlink.Lookup(IPAddress.Parse("192.0.2.1")));
    }

    static int Bridge(RouteNetlink netlink, string name)
    {
        netlink.AddLink(name, "bridge");
        var index = netlink.FindLink(name)!.Index;
        netlink.SetUp(index);
        return index;
    }

    static DeviceRoute Route(string cidr, params int[] links) => new(Cidr.Parse(cidr), null, links.Order().Select(l => new RouteHop(l)).ToValueList(), 0, Ours, Main);
}
