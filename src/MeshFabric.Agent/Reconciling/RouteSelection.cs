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

/// <summary>Which planes carry each route now: those that are alive, by drained gateways only where there is no other, all of them when none is and there is no other way. Pure.</summary>
public static class RouteSelection
{
    /// <param name="isAlive">By device and far gateway.</param>
    /// <param name="mtu">By the same, bytes; null: the device's.</param>
    /// <param name="resting">A device that is to carry only what no other one that is alive can.</param>
    public static ValueList<InstalledRoute> Select(GatewayConfig config, Func<NextHop, bool> isAlive, Detour detour = Detour.Never, Func<NextHop, int>? mtu = null, string? resting = null)
    {
        // They are probed by the tunnel itself, or a dead one would stay dead.
        var probed = config.Devices.SelectMany(d => d.Peers).SelectMany(p => p.TunnelAddresses).ToHashSet();
        return config.Routes.Select(r => (IsRefused: r.NextHops.Count == 0, Route: Route(r, probed.Contains(r.Destination))))
            .Where(r => r.IsRefused || r.Route.Devices.Count > 0).Select(r => r.Route).OrderBy(r => r.Destination).ToValueList();

        InstalledRoute Route(MeshRoute route, bool isProbed)
        {
            // A leaf's own probes ask another table than its pods.
            var devices = Carriers(route, isAlive, isProbed && !config.IsLeaf ? Detour.Never : detour, resting);
            // Probes are to find out what passes, so nothing may hold them back.
            return new InstalledRoute(route.Destination, route.Source, devices, mtu is null || isProbed || devices.Count == 0 ? 0 : Smallest(route, devices, mtu)) { IsShortcut = route.IsShortcut };
        }
    }

    // Of all that share the route, for which of them carries a flow is the kernel's choice.
    static int Smallest(MeshRoute route, ValueList<string> devices, Func<NextHop, int> mtu)
    {
        var smallest = route.Ways.Where(h => devices.Contains(h.Device)).Min(mtu);
        return route.Destination.IsIPv4 ? smallest : Math.Max(smallest, MtuSearch.SmallestIPv6);
    }

    static ValueList<string> Carriers(MeshRoute route, Func<NextHop, bool> isAlive, Detour detour, string? resting)
    {
        if (detour == Detour.Always)
        {
            return [];
        }

        var alive = route.NextHops.Where(isAlive).ToList();
        if (route.IsShortcut)
        {
            // The wider route carries.
            return Devices(alive.Where(IsAwake));
        }

        // Another gateway of the own cluster is better than one that is drained.
        var spares = detour == Detour.Never ? (route.Spares ?? []).Where(isAlive).ToList() : [];
        var dead = detour == Detour.Never ? route.NextHops : [];
        return new[] { alive.Where(IsAwake), spares.Where(IsAwake), alive, spares, dead.Where(IsAwake), dead }.Select(Devices).FirstOrDefault(d => d.Count > 0) ?? [];

        bool IsAwake(NextHop hop) => hop.Device != resting;
    }

    static ValueList<string> Devices(IEnumerable<NextHop> hops) => hops.Select(h => h.Device).Distinct().Order(StringComparer.Ordinal).ToValueList();
}
