using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>Routes of protocol 77 in tables of our own, and the rules that ask them before the others, by rtnetlink.</summary>
/// <remarks>In table main they would be seen, and perhaps told on, by whoever reads it: a CNI plug-in's routing daemon, for one.</remarks>
public sealed class LinuxRouteTable : IRouteTable, IDisposable
{
    public const byte Protocol = 77;

    // What comes in by them was handed over by another node.
    static readonly string[] Overlays = [NodePlanner.OverlayName, NodePlanner.ServiceOverlayName];

    readonly RouteNetlink _netlink = RouteNetlink.Open();
    readonly Lock _oneAtATime = new();
    uint _complete = NodePlanner.TunnelTable;

    public Task ApplyAsync(ValueList<InstalledRoute> routes, ValueList<InstalledRoute>? transit, RouteUsers? users, CancellationToken cancellationToken)
    {
        lock (_oneAtATime)
        {
            var indexes = _netlink.Links().ToDictionary(l => l.Name, l => l.Index);
            var v6 = LinuxIPv6.IsOnAtAll;
            var indexes6 = routes.Concat(transit ?? []).SelectMany(r => r.Devices).Distinct().Where(d => indexes.ContainsKey(d) && LinuxIPv6.IsOn(d)).ToDictionary(d => d, d => indexes[d]);
            List<DeviceRoute> Of(IEnumerable<InstalledRoute> wanted, uint table) =>
                wanted.Where(r => v6 || r.Destination.IsIPv4).Select(r => Route(r, r.Destination.IsIPv4 ? indexes : indexes6, table)).ToList();
            var own = Of(routes, NodePlanner.TunnelTable);
            var handed = Of(transit ?? [], NodePlanner.TransitTable);
            // On a node of a cluster the look-up goes on with the other gateways, and that is where it is refused at last. Without a shortcut the wider route carries.
            var shortcuts = (transit ?? routes).Where(r => r.IsShortcut).Select(r => r.Destination).ToHashSet();
            var last = (transit is null ? own : handed).Where(r => !shortcuts.Contains(r.Destination));
            var all = own.Concat(handed).ToList();
            OwnRoutes.Apply(
                _netlink,
                all.Where(r => r.Hops.Count > 0).Concat(OwnRoutes.Unreachable(last)).Concat(OwnRoutes.Connected(_netlink, all)).ToList(),
                _netlink.Routes(Protocol));
            PolicyRules.Apply(_netlink, Protocol, all.Select(r => r.Destination.IsIPv4).Distinct().SelectMany(ipv4 => Rules(ipv4, transit is not null, users)));
            _complete = (uint)(transit is null ? NodePlanner.TunnelTable : NodePlanner.TransitTable);
        }

        return Task.CompletedTask;
    }

    static IEnumerable<PolicyRule> Rules(bool ipv4, bool hasTransit, RouteUsers? users) =>
        (hasTransit ? Overlays : []).Select(o => new PolicyRule(NodePlanner.TransitPriority, ipv4, NodePlanner.TransitTable, o, null, null, 0, Protocol))
            .Concat(users is null ? [Rule(ipv4, NodePlanner.TunnelTable, null)] : users.Pods.Where(p => p.IsIPv4 == ipv4).Select(p => Rule(ipv4, NodePlanner.TunnelTable, p)).Concat(users.Own.Where(a => a.IsIPv4 == ipv4).Select(a => Rule(ipv4, NodePlanner.TransitTable, a))));

    static PolicyRule Rule(bool ipv4, uint table, Cidr? source) => new(NodePlanner.TunnelPriority, ipv4, table, null, source, null, 0, Protocol);

    public Task<ValueList<InstalledRoute>> ReadAsync(CancellationToken cancellationToken)
    {
        lock (_oneAtATime)
        {
            var names = _netlink.Links().ToDictionary(l => l.Index, l => l.Name);
            return Task.FromResult(_netlink.Routes(Protocol).Where(r => r.Table == _complete && r.Hops.Count > 0).Select(r => new InstalledRoute(
                r.Destination,
                r.Source is null ? null : Cidr.Host(r.Source),
                r.Hops.Select(h => names.GetValueOrDefault(h.LinkIndex, "?")).Order(StringComparer.Ordinal).ToValueList(),
                r.Mtu)).ToValueList());
        }
    }

    static DeviceRoute Route(InstalledRoute route, Dictionary<string, int> indexes, uint table) => new(
        route.Destination,
        route.Source?.Address,
        route.Devices.Where(indexes.ContainsKey).Select(d => new RouteHop(indexes[d])).Order().ToValueList(),
        route.Mtu,
        Protocol,
        table);

    public void Dispose() => _netlink.Dispose();
}
