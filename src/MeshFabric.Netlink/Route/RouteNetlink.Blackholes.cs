using System.Net.Sockets;
using MeshFabric.Net;

namespace MeshFabric.Netlink.Route;

/// <summary>Routes that throw packets away.</summary>
public sealed partial class RouteNetlink
{
    const byte BlackholeType = 6;

    /// <summary>Blackhole routes of table main, both families.</summary>
    public IReadOnlyList<BlackholeRoute> Blackholes() =>
        new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 }
            .SelectMany(family => Dump(RouteMessages.GetRoute, w =>
            {
                // struct rtmsg; the kernel compares the type (byte 7) itself
                w.U8(RouteMessages.Family(family));
                w.Bytes(stackalloc byte[6]);
                w.U8(BlackholeType);
                w.Bytes(stackalloc byte[4]);
            }, RouteMessages.NewRoute, "listing blackhole routes", p => RouteMessages.ReadBlackhole(p)))
            .DistinctBy(r => (r.Destination, r.Protocol))
            .OrderBy(r => r.Destination)
            .ToList();
}
