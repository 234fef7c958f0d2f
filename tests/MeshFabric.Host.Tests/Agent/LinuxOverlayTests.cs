using System.Net;
using System.Net.Sockets;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Host.Tests.Agent;

public sealed class LinuxOverlayTests
{
    static readonly OverlayFacts Facts = new(
        [new OverlayGateway("gw1", "n1", 7710, 1380, [Cidr.Parse("10.10.0.0/16")], [Cidr.Parse("10.20.0.0/16"), Cidr.Parse("fd10:20::/48")], [Cidr.Parse("198.19.0.1/32")])],
        [new OverlayNode("n1", IPAddress.Parse("192.0.2.1"), [Cidr.Parse("10.10.1.0/24")], [], []), new OverlayNode("n2", IPAddress.Parse("192.0.2.2"), [Cidr.Parse("10.10.2.0/24")], [], [])]);

    [Fact]
    public void A_node_sends_to_the_mesh_by_the_overlay_and_to_nowhere_else_without_it()
    {
        using var host = Node();
        host.Inside(() =>
        {
            using var overlay = new LinuxOverlay();
            Apply(overlay, "n2");
            Assert.Contains("dev meshx0", host.Exec("ip", "route", "get", "10.20.0.9"), StringComparison.Ordinal);

            host.Exec("ip", "link", "del", "meshx0");

            Assert.True(IsRefused(host, "10.20.0.9"));
            Assert.True(IsRefused(host, "fd10:20::9"));
            Apply(overlay, "n2");
            Assert.Contains("dev meshx0", host.Exec("ip", "route", "get", "10.20.0.9"), StringComparison.Ordinal);
            Assert.Contains("dev meshx0", host.Exec("ip", "-6", "route", "get", "fd10:20::9"), StringComparison.Ordinal);
        });
    }

    [Fact]
    public void A_gateway_without_its_tunnels_refuses_what_is_for_the_mesh_instead_of_sending_it_in_clear()
    {
        using var host = Node("192.0.2.1");
        host.Inside(() =>
        {
            // The negative twin: without us it leaves by the default route.
            Assert.Contains("via 192.0.2.254", host.Exec("ip", "route", "get", "10.20.0.9"), StringComparison.Ordinal);
            using var overlay = new LinuxOverlay();
            using var routes = new LinuxRouteTable();
            host.Exec("ip", "link", "add", "mf0", "type", "bridge");
            host.Exec("ip", "link", "set", "mf0", "up");
            Apply(overlay, "n1");
            Tunnels(routes);
            Assert.Contains("dev mf0", host.Exec("ip", "route", "get", "10.20.0.9"), StringComparison.Ordinal);

            host.Exec("ip", "link", "del", "mf0");

            Assert.True(IsRefused(host, "10.20.0.9"));
            Tunnels(routes);
            Assert.True(IsRefused(host, "10.20.0.9"));

            routes.ApplyAsync([], null, null, CancellationToken.None).GetAwaiter().GetResult();
            Assert.True(IsRefused(host, "10.20.0.9"), "the node's own table refuses it too");
            overlay.ApplyAsync(NodeConfig.None("n1"), CancellationToken.None).GetAwaiter().GetResult();
            Assert.Contains("via 192.0.2.254", host.Exec("ip", "route", "get", "10.20.0.9"), StringComparison.Ordinal);
            Assert.Equal("", host.Exec("ip", "route", "show", "table", "7710") + host.Exec("ip", "route", "show", "table", "7712") + host.Exec("ip", "-6", "route", "show", "table", "7712"));
        });
    }

    [Fact]
    public void What_another_node_hands_over_goes_by_the_tunnels_also_while_the_gateways_own_packets_go_by_another_gateway()
    {
        using var host = Node("192.0.2.1");
        host.Inside(() =>
        {
            using var overlay = new LinuxOverlay();
            using var routes = new LinuxRouteTable();
            host.Exec("ip", "link", "add", "mf0", "type", "bridge");
            host.Exec("ip", "link", "set", "mf0", "up");
            // The kernel answers for packets that come in only where it forwards.
            host.Exec("sysctl", "-qw", "net.ipv4.ip_forward=1");
            var two = Facts with { Gateways = Facts.Gateways.Append(Facts.Gateways[0] with { Name = "gw2", Node = "n2", TunnelAddresses = [Cidr.Parse("198.19.0.2/32")], Ordinal = 1 }).ToValueList() };
            overlay.ApplyAsync(NodePlanner.Plan(two, "n1", _ => true, ["mf0"], judgesForwarding: false), CancellationToken.None).GetAwaiter().GetResult();

            routes.ApplyAsync([], [ByTunnel], null, CancellationToken.None).GetAwaiter().GetResult();

            Assert.Contains("via 192.0.2.2 dev meshx0", host.Exec("ip", "route", "get", "10.20.0.9"), StringComparison.Ordinal);
            Assert.Contains("dev mf0", host.Exec("ip", "route", "get", "10.20.0.9", "from", "192.0.2.2", "iif", "meshx0"), StringComparison.Ordinal);
            Assert.Equal([ByTunnel], routes.ReadAsync(CancellationToken.None).GetAwaiter().GetResult());

            host.Exec("ip", "link", "del", "mf0");
            Assert.Contains("No route to host", host.Try("", "ip", "route", "get", "10.20.0.9", "from", "192.0.2.2", "iif", "meshx0").Output, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void A_network_that_the_node_stands_on_stays_reachable_inside_a_prefix_of_the_mesh()
    {
        foreach (var (node, address) in new[] { ("n1", "192.0.2.1"), ("n2", "192.0.2.2") })
        {
            using var host = Node(address);
            host.Inside(() =>
            {
                host.Exec("ip", "link", "add", "storage0", "type", "bridge");
                host.Exec("ip", "addr", "add", "10.20.77.1/24", "dev", "storage0");
                host.Exec("ip", "link", "set", "storage0", "up");
                using var overlay = new LinuxOverlay();
                Apply(overlay, node);
                Assert.Contains("dev storage0", host.Exec("ip", "route", "get", "10.20.77.9"), StringComparison.Ordinal);
            });
        }
    }

    [Fact]
    public void Ports_of_other_overlays_and_listeners_are_taken_and_the_own_one_is_not()
    {
        using var host = Node();
        host.Inside(() =>
        {
            host.Exec("ip", "link", "add", "vx9", "type", "vxlan", "id", "9", "dstport", "7714", "dev", "eth0");
            using var overlay = new LinuxOverlay();
            Apply(overlay, "n2");
            Apply(overlay, "n2");
            Assert.Equal([7714], overlay.TakenPorts().Where(p => p != 7712));
        });
        using var listener = new UdpClient(new IPEndPoint(IPAddress.Loopback, 7712));
        using var here = new LinuxOverlay();
        Assert.Contains(7712, here.TakenPorts());
    }

    [Fact]
    public void A_foreign_overlay_of_our_number_and_port_is_told_of_and_another_port_works()
    {
        using var host = Node();
        host.Inside(() =>
        {
            host.Exec("ip", "link", "add", "foreign0", "type", "vxlan", "id", "7710", "dstport", "7710", "local", "192.0.2.2");
            host.Exec("ip", "link", "set", "foreign0", "up");
            using var overlay = new LinuxOverlay();
            Assert.Throws<MeshFabric.Netlink.NetlinkException>(() => Apply(overlay, "n2"));
            Assert.Contains(7710, overlay.TakenPorts());

            var elsewhere = Facts with { Gateways = [Facts.Gateways[0] with { Port = 7712 }] };
            overlay.ApplyAsync(NodePlanner.Plan(elsewhere, "n2", _ => true, [], judgesForwarding: false), CancellationToken.None).GetAwaiter().GetResult();
            Assert.Contains("dev meshx0", host.Exec("ip", "route", "get", "10.20.0.9"), StringComparison.Ordinal);
            Assert.Equal([7710], overlay.TakenPorts());
        });
    }

    [Fact]
    public void A_host_that_has_IPv6_switched_off_is_in_the_mesh_by_IPv4()
    {
        using var host = Node("192.0.2.1");
        host.Inside(() =>
        {
            host.Exec("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
            host.Exec("ip", "link", "add", "mf0", "type", "bridge");
            using var overlay = new LinuxOverlay();
            using var links = new LinuxLinks();
            using var routes = new LinuxRouteTable();
            links.ApplyAsync("mf0", 1420, [Cidr.Parse("198.19.0.1/32"), Cidr.Parse("fd6d:6700::1/128")], CancellationToken.None).GetAwaiter().GetResult();
            Apply(overlay, "n1");
            routes.ApplyAsync([ByTunnel, ByTunnel with { Destination = Cidr.Parse("fd10:20::/48") }], [ByTunnel], null, CancellationToken.None).GetAwaiter().GetResult();

            Assert.Contains("dev mf0", host.Exec("ip", "route", "get", "10.20.0.9"), StringComparison.Ordinal);
            Assert.Contains("198.19.0.1/32", host.Exec("ip", "addr", "show", "dev", "mf0"), StringComparison.Ordinal);
            Apply(overlay, "n1");
            Assert.Contains("107:", host.Exec("ip", "rule"), StringComparison.Ordinal);
        });
    }

    static NetworkNamespace Node(string address = "192.0.2.2")
    {
        var host = new NetworkNamespace();
        try
        {
            Prepare(host, address);
            return host;
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    static void Prepare(NetworkNamespace host, string address)
    {
        foreach (var line in new[] { "link add eth0 type bridge", $"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up", "route add default via 192.0.2.254" })
        {
            host.Exec(["ip", .. line.Split(' ')]);
        }
    }

    static void Apply(LinuxOverlay overlay, string node) =>
        overlay.ApplyAsync(NodePlanner.Plan(Facts, node, _ => true, ["mf0"], judgesForwarding: false), CancellationToken.None).GetAwaiter().GetResult();

    static void Tunnels(LinuxRouteTable routes) =>
        routes.ApplyAsync([ByTunnel], [ByTunnel], null, CancellationToken.None).GetAwaiter().GetResult();

    static readonly InstalledRoute ByTunnel = new(Cidr.Parse("10.20.0.0/16"), null, ["mf0"], 0);

    static bool IsRefused(NetworkNamespace host, string address) =>
        host.Try("", "ip", "route", "get", address) is (not 0, var output) && output.Contains("No route to host", StringComparison.Ordinal);
}
