using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>Routes of protocol 77 in a table of our own, and the rule that asks it before the others, by rtnetlink.</summary>
/// <remarks>In table main they would be seen, and perhaps told on, by whoever reads it: a CNI plug-in's routing daemon, for one.</remarks>
public sealed class LinuxRouteTable : IRouteTable, IDisposable
{
    public const byte Protocol = 77;
    const uint Table = NodePlanner.TunnelTable;

    readonly RouteNetlink _netlink = RouteNetlink.Open();
    readonly Lock _oneAtATime = new();

    public Task ApplyAsync(ValueList<InstalledRoute> routes, CancellationToken cancellationToken)
    {
        lock (_oneAtATime)
        {
            var indexes = _netlink.Links().ToDictionary(l => l.Name, l => l.Index);
            var present = _netlink.Routes(Protocol);
            var all = routes.Select(r => Route(r, indexes)).ToList();
            var wanted = all.Where(r => r.Hops.Count > 0).Concat(OwnRoutes.Unreachable(all)).Concat(OwnRoutes.Connected(_netlink, all)).ToList();
            OwnRoutes.Apply(_netlink, wanted, present);
            PolicyRules.Apply(_netlink, Protocol, wanted.Select(r => r.Destination.IsIPv4).Distinct().Select(ipv4 => new PolicyRule(NodePlanner.TunnelPriority, ipv4, Table, null, null, null, 0, Protocol)));
        }

        return Task.CompletedTask;
    }

    public Task<ValueList<InstalledRoute>> ReadAsync(CancellationToken cancellationToken)
    {
        lock (_oneAtATime)
        {
            var names = _netlink.Links().ToDictionary(l => l.Index, l => l.Name);
            return Task.FromResult(_netlink.Routes(Protocol).Where(r => r.Hops.Count > 0).Select(r => new InstalledRoute(
                r.Destination,
                r.Source is null ? null : Cidr.Host(r.Source),
                r.Hops.Select(h => names.GetValueOrDefault(h.LinkIndex, "?")).Order(StringComparer.Ordinal).ToValueList(),
                r.Mtu)).ToValueList());
        }
    }

    static DeviceRoute Route(InstalledRoute route, Dictionary<string, int> indexes) => new(
        route.Destination,
        route.Source?.Address,
        route.Devices.Where(indexes.ContainsKey).Select(d => new RouteHop(indexes[d])).Order().ToValueList(),
        route.Mtu,
        Protocol,
        Table);

    public void Dispose() => _netlink.Dispose();
}
