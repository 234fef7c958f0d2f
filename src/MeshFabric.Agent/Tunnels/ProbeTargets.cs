using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Tunnels;

/// <param name="Name">Of the far gateway, and of the one that hands on to it.</param>
/// <param name="Addresses">Its tunnel addresses.</param>
/// <param name="IsHandedOn">The answer comes by whatever way it chooses.</param>
sealed record ProbeTarget(TunnelDevice Device, string Name, ValueList<Cidr> Addresses, bool IsHandedOn);

/// <summary>What measures the ways to a cluster: its gateways by the tunnels to them, or by each gateway that hands on to them. Pure.</summary>
static class ProbeTargets
{
    public static IReadOnlyList<ProbeTarget> Of(GatewayConfig config, string cluster)
    {
        var devices = config.Devices.ToDictionary(d => d.Name);
        var direct = config.Devices.SelectMany(d => d.Peers.Where(p => p.Cluster == cluster).Select(p => new ProbeTarget(d, p.Gateway, p.TunnelAddresses, IsHandedOn: false)));
        var handedOn = config.Transits.Where(t => t.Cluster == cluster)
            .SelectMany(t => t.Carriers.SelectMany(c => t.Gateways.Select(g => new ProbeTarget(devices[c.Device], $"{g.Name} by {c.Cluster}/{c.Gateway}", g.TunnelAddresses, IsHandedOn: true))));
        return [.. direct, .. handedOn];
    }
}
