using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Reconciling;

/// <summary>What carried when the agent started. The one before it had found that out, and it holds for each next hop until this one's own probes tell. Pure: time is handed in.</summary>
/// <remarks>So nothing goes by what had been left, and no flow moves: one to an advertised Service breaks when it goes by another gateway for a moment.</remarks>
public sealed class InheritedRoutes
{
    /// <summary>Whatever was not told in this time, by a hub that says nothing for one, is taken as it seems.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);

    readonly Dictionary<NextHop, bool> _carried = [];
    readonly DateTimeOffset _until;

    /// <returns>Null: the agent has run for so long that it knows.</returns>
    public static InheritedRoutes? Of(GatewayConfig config, ValueList<InstalledRoute> installed, DateTimeOffset started, DateTimeOffset now) =>
        now < started + Lifetime ? new InheritedRoutes(config, installed, started) : null;

    /// <param name="installed">As they were when the agent started.</param>
    /// <param name="started">When that was.</param>
    public InheritedRoutes(GatewayConfig config, ValueList<InstalledRoute> installed, DateTimeOffset started)
    {
        _until = started + Lifetime;
        // Those to a far gateway itself are always there, dead or alive.
        var probed = config.Devices.SelectMany(d => d.Peers).SelectMany(p => p.TunnelAddresses).ToHashSet();
        var devices = installed.Where(r => r.Devices.Count > 0 && !probed.Contains(r.Destination)).ToDictionary(r => r.Destination, r => r.Devices);
        foreach (var route in config.Routes.Where(r => devices.ContainsKey(r.Destination)))
        {
            foreach (var hop in route.Ways)
            {
                _carried[hop] = _carried.GetValueOrDefault(hop) || devices[route.Destination].Contains(hop.Device);
            }
        }
    }

    /// <returns>Null: they said nothing of it, or no longer count.</returns>
    public bool? Carried(NextHop hop, DateTimeOffset now) => now < _until && _carried.TryGetValue(hop, out var carried) ? carried : null;
}
