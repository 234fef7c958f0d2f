using MeshFabric.Agent.Ports;
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
    public static ValueList<InstalledRoute> Select(GatewayConfig config, Func<NextHop, bool> isAlive, Detour detour = Detour.Never)
    {
        // They are probed by the tunnel itself, or a dead one would stay dead.
        var probed = config.Devices.SelectMany(d => d.Peers).SelectMany(p => p.TunnelAddresses).ToHashSet();
        return config.Routes.Select(r => new InstalledRoute(r.Destination, r.Source, Carriers(r, isAlive, probed.Contains(r.Destination) ? Detour.Never : detour), 0))
            .Where(r => r.Devices.Count > 0).OrderBy(r => r.Destination).ToValueList();
    }

    static ValueList<string> Carriers(MeshRoute route, Func<NextHop, bool> isAlive, Detour detour)
    {
        var alive = detour == Detour.Always ? [] : Devices(route.NextHops.Where(isAlive));
        return alive.Count > 0 || detour != Detour.Never ? alive : Devices(route.NextHops);
    }

    static ValueList<string> Devices(IEnumerable<NextHop> hops) => hops.Select(h => h.Device).Distinct().Order(StringComparer.Ordinal).ToValueList();
}
