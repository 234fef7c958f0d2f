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
    public static ValueList<InstalledRoute> Select(ValueList<MeshRoute> routes, Func<NextHop, bool> isAlive, Detour detour = Detour.Never) => detour == Detour.Always ? [] : routes.Select(route =>
    {
        var alive = route.NextHops.Where(isAlive).Select(h => h.Device).Distinct().Order(StringComparer.Ordinal).ToValueList();
        var all = route.NextHops.Select(h => h.Device).Distinct().Order(StringComparer.Ordinal).ToValueList();
        return new InstalledRoute(route.Destination, route.Source, alive.Count > 0 || detour == Detour.WhereDead ? alive : all, 0);
    }).Where(r => r.Devices.Count > 0 || detour == Detour.Never).OrderBy(r => r.Destination).ToValueList();
}
