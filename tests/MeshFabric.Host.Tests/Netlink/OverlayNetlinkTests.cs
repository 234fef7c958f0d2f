using System.Net;
using System.Net.NetworkInformation;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;
using MeshFabric.TestKit.Hosts;

namespace MeshFabric.Host.Tests.Netlink;

/// <summary>VXLAN devices, their neighbours, and routes by them, against the kernel and as iproute2 shows them.</summary>
public sealed class OverlayNetlinkTests
{
    const byte Ours = 78;
    const uint Table = 7712;
    static readonly PhysicalAddress Far = PhysicalAddress.Parse("02AABBCCDDEE");
    static readonly VxlanOptions Options = new(7710, IPAddress.Parse("192.0.2.1"), 7710, PhysicalAddress.Parse("020102030405"));

    [Fact]
    public void A_vxlan_device_is_read_as_it_was_made()
    {
        using var host = new NetworkNamespace();
        using var netlink = Open(host, out var link);
        Assert.Equal(Options, link.Vxlan);
        Assert.Contains("vxlan id 7710 local 192.0.2.1", host.Shell("ip -d link show meshx0"), StringComparison.Ordinal);
    }

    [Fact]
    public void Neighbours_and_forwarding_entries_are_permanent_changed_in_place_and_deleted()
    {
        using var host = new NetworkNamespace();
        using var netlink = Open(host, out var link);
        var (neighbour, neighbour6, entry) = (new Neighbour(link.Index, IPAddress.Parse("192.0.2.9"), Far), new Neighbour(link.Index, IPAddress.Parse("fe80::9"), Far), new ForwardingEntry(link.Index, Far, IPAddress.Parse("192.0.2.9")));
        netlink.AddNeighbour(neighbour);
        netlink.AddNeighbour(neighbour6);
        netlink.AddForwardingEntry(entry);
        Assert.Equal([neighbour, neighbour6], netlink.Neighbours(link.Index));
        Assert.Equal([entry], netlink.ForwardingEntries(link.Index));
        Assert.Contains("PERMANENT", host.Shell("ip neigh show dev meshx0"), StringComparison.Ordinal);
        Assert.Contains("02:aa:bb:cc:dd:ee dst 192.0.2.9 self permanent", host.Shell("bridge fdb show dev meshx0"), StringComparison.Ordinal);

        var moved = entry with { Host = IPAddress.Parse("192.0.2.10") };
        netlink.AddForwardingEntry(moved);
        Assert.Equal([moved], netlink.ForwardingEntries(link.Index));

        netlink.DeleteForwardingEntry(moved);
        netlink.DeleteNeighbour(neighbour);
        netlink.DeleteNeighbour(neighbour);
        Assert.Equal([neighbour6], netlink.Neighbours(link.Index));
        Assert.Empty(netlink.ForwardingEntries(link.Index));
    }

    [Fact]
    public void Routes_by_one_or_several_neighbours_are_read_as_they_were_written()
    {
        using var host = new NetworkNamespace();
        using var netlink = Open(host, out var link);
        RouteHop Hop(string address) => new(link.Index, IPAddress.Parse(address));
        DeviceRoute[] routes =
        [
            new(Cidr.Parse("10.1.0.0/16"), IPAddress.Parse("192.0.2.1"), [Hop("192.0.2.9")], 1420, Ours, Table),
            new(Cidr.Parse("10.2.0.0/16"), null, [Hop("192.0.2.10"), Hop("192.0.2.9")], 0, Ours, Table),
            new(Cidr.Parse("10.3.0.0/16"), null, [Hop("fe80::9")], 0, Ours, Table),
            new(Cidr.Parse("10.4.0.0/16"), null, [Hop("fe80::10"), Hop("fe80::9")], 0, Ours, Table),
            new(Cidr.Parse("10.9.0.0/16"), null, [], 0, Ours, Table),
            new(Cidr.Parse("fd10:2::/48"), null, [Hop("fe80::10"), Hop("fe80::9")], 1400, Ours, Table),
        ];
        netlink.ChangeRoutes(routes, []);
        Assert.Equal(routes, netlink.Routes(Ours));
        var shown = host.Shell("ip route show table 7712");
        Assert.Contains("throw 10.9.0.0/16", shown, StringComparison.Ordinal);
        Assert.Contains("via inet6 fe80::9", shown, StringComparison.Ordinal);

        netlink.ChangeRoutes([], routes);
        Assert.Empty(netlink.Routes(Ours));
    }

    static RouteNetlink Open(NetworkNamespace host, out Link link)
    {
        host.Shell("ip link add under type bridge; ip addr add 192.0.2.1/24 dev under; ip link set under up");
        var netlink = RouteNetlink.Open(host.Path);
        netlink.AddVxlan("meshx0", Options);
        link = netlink.FindLink("meshx0")!;
        netlink.SetUp(link.Index);
        return netlink;
    }
}
