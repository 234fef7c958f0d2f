using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>Routes in tables of ours.</summary>
static class OwnRoutes
{
    /// <summary>Makes the routes exactly these, replacing before deleting.</summary>
    /// <param name="present">All that are ours.</param>
    public static void Apply(RouteNetlink netlink, IReadOnlyCollection<DeviceRoute> wanted, IReadOnlyCollection<DeviceRoute> present)
    {
        var known = present.ToHashSet();
        var kept = wanted.Select(Place).ToHashSet();
        netlink.ChangeRoutes(wanted.Where(w => !known.Contains(w)).ToList(), present.Where(p => !kept.Contains(Place(p))).ToList());
    }

    /// <summary>
    /// Refuses what no other of these routes takes: while a device is made anew, packets for the mesh would otherwise follow the host's default route,
    /// in clear and perhaps to somebody else's network of the same addresses.
    /// </summary>
    public static IEnumerable<DeviceRoute> Unreachable(IEnumerable<DeviceRoute> routes) =>
        routes.Select(r => (r.Destination, r.Protocol, r.Table)).Distinct().Select(r => new DeviceRoute(r.Destination, null, [], 0, r.Protocol, r.Table) { IsUnreachable = true });

    /// <summary>
    /// "Throw" routes for networks that this host stands on: our tables are asked before main, whatever the lengths of prefixes, and what is inside a wider
    /// prefix of the mesh must stay reachable.
    /// </summary>
    public static IEnumerable<DeviceRoute> Connected(RouteNetlink netlink, IReadOnlyCollection<DeviceRoute> routes) => routes.Count == 0 ? [] : netlink.Routes(KernelProtocol)
        .Where(c => c.Table == DeviceRoute.MainTable && c.Destination.Length > 0)
        .SelectMany(c => routes.Where(r => r.Destination != c.Destination && r.Destination.Contains(c.Destination)).Select(r => new DeviceRoute(c.Destination, null, [], 0, r.Protocol, r.Table)))
        .DistinctBy(Place)
        .ExceptBy(routes.Select(r => (r.Table, r.Destination)), c => (c.Table, c.Destination));

    // RTPROT_KERNEL
    const byte KernelProtocol = 2;

    // Routes of another kind are other routes to the kernel: the one does not replace the other.
    static (uint Table, MeshFabric.Net.Cidr Destination, bool IsThrow, bool IsUnreachable) Place(DeviceRoute route) => (route.Table, route.Destination, route.Hops.Count == 0, route.IsUnreachable);
}
