using System.Net;
using MeshFabric.Net;

namespace MeshFabric.Netlink.Route;

/// <param name="Index">Kernel's number of it.</param>
/// <param name="Kind">wireguard, tun, veth, ...; empty for physical ones.</param>
/// <param name="Mtu">Bytes.</param>
public sealed record Link(int Index, string Name, string Kind, int Mtu, bool IsUp);

/// <summary>An address of a link: unlike a <see cref="Cidr"/> it has host bits.</summary>
public sealed record LinkAddress(int LinkIndex, IPAddress Address, int Length)
{
    public override string ToString() => $"{Address}/{Length}";
}

/// <summary>A route by point-to-point devices that resolve nothing: tunnels.</summary>
/// <remarks>In IPv6 every next hop also gets the gateway fe80::1, without which the kernel has no ECMP there; tunnels take no notice of it.</remarks>
/// <param name="Source">Preferred source address, or null.</param>
/// <param name="LinkIndexes">One next hop each; several are ECMP with equal weights. Sorted.</param>
/// <param name="Mtu">Locked route MTU in bytes; 0 for none.</param>
/// <param name="Protocol">rtm_protocol: whose route it is.</param>
/// <param name="Table">254 is main.</param>
public sealed record DeviceRoute(Cidr Destination, IPAddress? Source, ValueList<int> LinkIndexes, int Mtu, byte Protocol, uint Table);

/// <summary>How the kernel would send to an address.</summary>
/// <param name="Mtu">Path MTU in force: the route's or cached one if there is one, else 0 (the link's).</param>
public sealed record RouteLookup(int LinkIndex, IPAddress? Source, int Mtu);
