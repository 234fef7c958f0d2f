using System.Net;
using MeshFabric.Net;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Route;
using MeshFabric.TestKit.Hosts;

namespace MeshFabric.Host.Tests.Netlink;

public sealed class RouteNetlinkTests
{
    const byte Ours = 77;
    const uint Main = 254;
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("10.2.0.0/16")]
    [InlineData("fd10:2::/48")]
    public void One_next_hop_and_several_replace_each_other_in_place(string destination)
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var links = Enumerable.Range(0, 3).Select(i => Bridge(netlink, $"br{i}")).ToArray();
        foreach (var wanted in new[] { links[..1], links[..2], links[1..], links, links[2..], links[..1] })
        {
            netlink.ChangeRoutes([Route(destination, wanted)], []);
            Assert.Equal(Route(destination, wanted), Assert.Single(netlink.Routes(Ours)));
        }

        netlink.ChangeRoutes([], netlink.Routes(Ours).ToList());
        Assert.Empty(netlink.Routes(Ours));
    }

    [Fact]
    public void IPv6_flows_are_spread_over_all_next_hops()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        netlink.ChangeRoutes([Route("fd10:2::/48", Bridge(netlink, "br0"), Bridge(netlink, "br1"))], []);
        var used = Enumerable.Range(1, 200).Select(i => netlink.Lookup(IPAddress.Parse($"fd10:2::{i:x}"))!.LinkIndex).Distinct();
        Assert.Equal(2, used.Count());
    }

    [Fact]
    public void A_route_by_a_device_alone_is_replaced_by_ours()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var (a, b) = (Bridge(netlink, "br0"), Bridge(netlink, "br1"));
        host.Run("ip", "route", "add", "fd10:2::/48", "dev", "br0", "proto", "77");
        netlink.ChangeRoutes([Route("fd10:2::/48", a, b)], []);
        Assert.Equal([a, b], Assert.Single(netlink.Routes(Ours)).Hops.Select(h => h.LinkIndex));
    }

    [Fact]
    public void Source_and_MTU_of_a_route_are_read_back()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var link = Bridge(netlink, "br0");
        netlink.AddAddress(new LinkAddress(link, IPAddress.Parse("198.19.0.1"), 32));
        netlink.AddAddress(new LinkAddress(link, IPAddress.Parse("fd19::1"), 128));
        var wanted = new[] { "10.2.0.0/16", "fd10:2::/48" }.Select(d => Route(d, link) with { Mtu = 1400, Source = IPAddress.Parse(d[0] == '1' ? "198.19.0.1" : "fd19::1") }).ToList();
        netlink.ChangeRoutes(wanted, []);
        Assert.Equal(wanted, netlink.Routes(Ours));
        Assert.Equal(new RouteLookup(link, IPAddress.Parse("198.19.0.1"), 1400), netlink.Lookup(IPAddress.Parse("10.2.3.4")));
    }

    [Fact]
    public void Routes_of_other_protocols_and_tables_stay_as_they_are()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var link = Bridge(netlink, "br0");
        host.Shell("ip route add 192.0.2.0/24 dev br0; ip route add 10.9.0.0/16 dev br0 proto 99 table 1000; ip -6 route add fd99::/48 dev br0");
        var before = host.Shell("ip route show table all; ip -6 route show table all");
        netlink.ChangeRoutes([Route("10.2.0.0/16", link), Route("fd10:2::/48", link)], []);
        netlink.ChangeRoutes([], netlink.Routes(Ours).ToList());
        Assert.Equal(before, host.Shell("ip route show table all; ip -6 route show table all"));
    }

    [Fact]
    public void A_refused_route_is_told_with_the_kernels_words_and_the_others_are_made()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var good = Route("10.2.0.0/16", Bridge(netlink, "br0"));
        var refused = Assert.Throws<NetlinkException>(() => netlink.ChangeRoutes([Route("10.1.0.0/16", 9999), good], []));
        Assert.StartsWith("changing routes", refused.Message, StringComparison.Ordinal);
        Assert.Equal([good], netlink.Routes(Ours));
    }

    [Fact]
    public void Links_and_addresses_come_and_go()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        Assert.Null(netlink.FindLink("vx0"));
        netlink.AddVxlan("vx0", new VxlanOptions(7007, IPAddress.Loopback, 4790, null));
        var link = netlink.FindLink("vx0")!;
        Assert.Equal(("vxlan", false), (link.Kind, link.IsUp));
        netlink.SetMtu(link.Index, 1370);
        netlink.SetUp(link.Index);
        Assert.Equal(link with { Mtu = 1370, IsUp = true }, netlink.FindLink("vx0"));
        Assert.Contains("id 7007 local 127.0.0.1", host.Run("ip", "-d", "link", "show", "vx0"), StringComparison.Ordinal);
        Assert.Contains("nolearning", host.Run("ip", "-d", "link", "show", "vx0"), StringComparison.Ordinal);
        var address = new LinkAddress(link.Index, IPAddress.Parse("10.254.1.1"), 24);
        netlink.AddAddress(address);
        Assert.Contains(address, netlink.Addresses());
        netlink.DeleteAddress(address);
        netlink.DeleteAddress(address);
        Assert.DoesNotContain(address, netlink.Addresses());
        netlink.DeleteLink(link.Index);
        netlink.DeleteLink(link.Index);
        Assert.Null(netlink.FindLink("vx0"));
    }

    [Fact]
    public void Rules_come_and_go_and_foreign_ones_stay()
    {
        using var host = new NetworkNamespace();
        using var netlink = RouteNetlink.Open(host.Path);
        var before = netlink.Rules();
        PolicyRule[] wanted =
        [
            new(105, true, 1077, "lo", Cidr.Parse("10.1.0.0/16"), Cidr.Parse("10.2.0.0/16"), 0, Ours),
            new(106, true, 100, null, null, null, 0x77, Ours),
            new(105, false, 1077, null, null, Cidr.Parse("fd10:2::/48"), 0, Ours),
        ];
        foreach (var rule in wanted.Concat(wanted))
        {
            netlink.AddRule(rule);
        }

        Assert.Equal(wanted, netlink.Rules().Where(r => r.Protocol == Ours));
        foreach (var rule in wanted.Concat(wanted))
        {
            netlink.DeleteRule(rule);
        }

        Assert.Equal(before, netlink.Rules());
    }

    [Fact]
    public async Task Changes_behind_our_back_are_told()
    {
        using var host = new NetworkNamespace();
        using var over = new CancellationTokenSource(Soon);
        const KernelChange all = KernelChange.Link | KernelChange.Address | KernelChange.Route | KernelChange.Rule | KernelChange.Firewall;
        var seen = KernelChange.None;
        await using var changes = KernelChanges.WatchAsync(all, host.Path, over.Token).GetAsyncEnumerator(over.Token);
        var next = changes.MoveNextAsync();
        host.Shell("ip link add br0 type bridge; ip link set br0 up; ip addr add 10.1.0.1/24 dev br0; ip route add 10.2.0.0/16 dev br0; ip rule add priority 9 lookup 9; nft add table ip t");
        while (seen != all)
        {
            Assert.True(await next);
            seen |= changes.Current;
            next = seen == all ? default : changes.MoveNextAsync();
        }
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
