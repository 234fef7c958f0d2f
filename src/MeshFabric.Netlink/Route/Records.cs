using System.Net;
using System.Net.NetworkInformation;
using MeshFabric.Net;

namespace MeshFabric.Netlink.Route;

/// <param name="Index">Kernel's number of it.</param>
/// <param name="Kind">wireguard, tun, veth, ...; empty for physical ones.</param>
/// <param name="Mtu">Bytes.</param>
/// <param name="Vxlan">What a VXLAN device was made with; null for all others.</param>
public sealed record Link(int Index, string Name, string Kind, int Mtu, bool IsUp, VxlanOptions? Vxlan = null);

/// <summary>An address of a link: unlike a <see cref="Cidr"/> it has host bits.</summary>
public sealed record LinkAddress(int LinkIndex, IPAddress Address, int Length)
{
    public override string ToString() => $"{Address}/{Length}";
}

/// <summary>A route by tunnels, or by neighbours on a device of ours.</summary>
/// <param name="Source">Preferred source address, or null.</param>
/// <param name="Hops">Several are ECMP with equal weights. Sorted. None: a "throw" route, the look-up goes on with the next rule.</param>
/// <param name="Mtu">Route MTU in bytes; 0 for none.</param>
/// <param name="Protocol">rtm_protocol: whose route it is.</param>
/// <param name="Table"><see cref="MainTable"/>, or one of somebody's own.</param>
public sealed record DeviceRoute(Cidr Destination, IPAddress? Source, ValueList<RouteHop> Hops, int Mtu, byte Protocol, uint Table)
{
    /// <summary>RT_TABLE_MAIN (linux/rtnetlink.h).</summary>
    public const uint MainTable = 254;

    /// <summary>Refuses what no other route to the same destination takes; has no hops and the largest metric.</summary>
    public bool IsUnreachable { get; init; }
}

/// <param name="Gateway">
/// A neighbour on that link, whatever addresses the link has ("onlink"). Null: a point-to-point device that resolves nothing. In IPv6 that one
/// also gets the gateway fe80::1, without which the kernel has no ECMP there; tunnels take no notice of it.
/// </param>
public sealed record RouteHop(int LinkIndex, IPAddress? Gateway = null) : IComparable<RouteHop>
{
    public int CompareTo(RouteHop? other) => other is null ? 1 : (LinkIndex, Gateway?.ToString() ?? "").CompareTo((other.LinkIndex, other.Gateway?.ToString() ?? ""));
}

/// <summary>A permanent neighbour: no one is asked for its hardware address.</summary>
public sealed record Neighbour(int LinkIndex, IPAddress Address, PhysicalAddress HardwareAddress);

/// <summary>A permanent forwarding entry of a VXLAN device: frames to this hardware address go to that host.</summary>
public sealed record ForwardingEntry(int LinkIndex, PhysicalAddress HardwareAddress, IPAddress Host);

/// <summary>How the kernel would send to an address.</summary>
/// <param name="Mtu">Path MTU in force: the route's or cached one if there is one, else 0 (the link's).</param>
public sealed record RouteLookup(int LinkIndex, IPAddress? Source, int Mtu);

/// <summary>A route that throws packets away.</summary>
/// <param name="Protocol">rtm_protocol: whose route it is.</param>
public sealed record BlackholeRoute(Cidr Destination, byte Protocol);
