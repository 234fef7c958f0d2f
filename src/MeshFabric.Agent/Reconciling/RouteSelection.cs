using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Reconciling;

/// <summary>When a node that is a gateway sends what is its own by another gateway of its cluster.</summary>
public enum Detour
{
    /// <summary>No other gateway carries anything.</summary>
    Never,

    /// <summary>Where no tunnel of its own is alive.</summary>
    WhereDead,

    /// <summary>It is drained.</summary>
    Always,
}

/// <summary>Which planes carry each route now: those that are alive, all of them when none is and there is no other way. Pure.</summary>
public static class RouteSelection
{
    /// <param name="isAlive">By device and far gateway.</param>
    /// <param name="mtu">By the same, bytes; null: the device's.</param>
    public static ValueList<InstalledRoute> Select(GatewayConfig config, Func<NextHop, bool> isAlive, Detour detour = Detour.Never, Func<NextHop, int>? mtu = null)
    {
        // They are probed by the tunnel itself, or a dead one would stay dead.
        var probed = config.Devices.SelectMany(d => d.Peers).SelectMany(p => p.TunnelAddresses).ToHashSet();
        return config.Routes.Select(r => (IsRefused: r.NextHops.Count == 0, Route: Route(r, probed.Contains(r.Destination))))
            .Where(r => r.IsRefused || r.Route.Devices.Count > 0).Select(r => r.Route).OrderBy(r => r.Destination).ToValueList();

        InstalledRoute Route(MeshRoute route, bool isProbed)
        {
            var devices = Carriers(route, isAlive, isProbed ? Detour.Never : detour);
            // Probes are to find out what passes, so nothing may hold them back.
            return new InstalledRoute(route.Destination, route.Source, devices, mtu is null || isProbed || devices.Count == 0 ? 0 : Smallest(route, devices, mtu)) { IsShortcut = route.IsShortcut };
        }
    }

    // Of all that share the route, for which of them carries a flow is the kernel's choice.
    static int Smallest(MeshRoute route, ValueList<string> devices, Func<NextHop, int> mtu)
    {
        var smallest = route.NextHops.Where(h => devices.Contains(h.Device)).Min(mtu);
        return route.Destination.IsIPv4 ? smallest : Math.Max(smallest, MtuSearch.SmallestIPv6);
    }

    static ValueList<string> Carriers(MeshRoute route, Func<NextHop, bool> isAlive, Detour detour)
    {
        var alive = detour == Detour.Always ? [] : Devices(route.NextHops.Where(isAlive));
        return alive.Count > 0 || detour != Detour.Never || route.IsShortcut ? alive : Devices(route.NextHops);
    }

    static ValueList<string> Devices(IEnumerable<NextHop> hops) => hops.Select(h => h.Device).Distinct().Order(StringComparer.Ordinal).ToValueList();
}
