using MeshFabric.Agent.Ports;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>Routes of protocol 77 in table main, by rtnetlink.</summary>
public sealed class LinuxRouteTable : IRouteTable, IDisposable
{
    public const byte Protocol = 77;
    const uint Main = 254;

    readonly RouteNetlink _netlink = RouteNetlink.Open();
    readonly Lock _oneAtATime = new();

    public Task ApplyAsync(ValueList<InstalledRoute> routes, CancellationToken cancellationToken)
    {
        lock (_oneAtATime)
        {
            var indexes = _netlink.Links().ToDictionary(l => l.Name, l => l.Index);
            var present = _netlink.Routes(Protocol);
            var wanted = routes.Select(r => Route(r, indexes)).Where(r => r.LinkIndexes.Count > 0).ToList();
            var changed = wanted.Where(w => !present.Contains(w)).ToList();
            var destinations = wanted.Select(w => w.Destination).ToHashSet();
            var unwanted = present.Where(p => p.Table != Main || !destinations.Contains(p.Destination)).ToList();
            _netlink.ChangeRoutes(changed, unwanted);
        }

        return Task.CompletedTask;
    }

    public Task<ValueList<InstalledRoute>> ReadAsync(CancellationToken cancellationToken)
    {
        lock (_oneAtATime)
        {
            var names = _netlink.Links().ToDictionary(l => l.Index, l => l.Name);
            return Task.FromResult(_netlink.Routes(Protocol).Select(r => new InstalledRoute(
                r.Destination,
                r.Source is null ? null : Cidr.Host(r.Source),
                r.LinkIndexes.Select(i => names.GetValueOrDefault(i, "?")).Order(StringComparer.Ordinal).ToValueList(),
                r.Mtu)).ToValueList());
        }
    }

    static DeviceRoute Route(InstalledRoute route, Dictionary<string, int> indexes) => new(
        route.Destination,
        route.Source?.Address,
        route.Devices.Where(indexes.ContainsKey).Select(d => indexes[d]).Order().ToValueList(),
        route.Mtu,
        Protocol,
        Main);

    public void Dispose() => _netlink.Dispose();
}
