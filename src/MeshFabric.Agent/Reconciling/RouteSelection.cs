using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Reconciling;

/// <summary>Which planes carry each route now: those that are alive, all of them when none is. Pure.</summary>
public static class RouteSelection
{
    /// <param name="isAlive">By device and far gateway.</param>
    public static ValueList<InstalledRoute> Select(ValueList<MeshRoute> routes, Func<NextHop, bool> isAlive) => routes.Select(route =>
    {
        var alive = route.NextHops.Where(isAlive).Select(h => h.Device).Distinct().Order(StringComparer.Ordinal).ToValueList();
        var all = route.NextHops.Select(h => h.Device).Distinct().Order(StringComparer.Ordinal).ToValueList();
        return new InstalledRoute(route.Destination, route.Source, alive.Count > 0 ? alive : all, 0);
    }).OrderBy(r => r.Destination).ToValueList();
}
