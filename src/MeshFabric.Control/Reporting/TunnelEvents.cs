using MeshFabric.Domain.Tunnels;
using MeshFabric.Persistence;

namespace MeshFabric.Control.Reporting;

/// <summary>What is told of a tunnel when a gateway reports another state of it than before. Pure.</summary>
static class TunnelEvents
{
    /// <param name="gateway">CLUSTER/GATEWAY that reports.</param>
    public static IEnumerable<EventRow> Of(string gateway, TunnelState before, TunnelReport last, TunnelReport report, DateTimeOffset now)
    {
        var far = $"{report.PeerCluster}/{report.PeerGateway}";
        if (before != report.State)
        {
            var name = $"{gateway} to {far}";
            yield return new EventRow
            {
                At = now,
                Type = $"tunnel-{report.State.ToString().ToLowerInvariant()}",
                Severity = report.State == TunnelState.Down ? "warning" : "info",
                Subject = $"gateway/{gateway}",
                Actor = $"agent/{gateway}",
                Message = report.State switch
                {
                    TunnelState.Connected => $"The tunnel {name} is connected by {report.Endpoint}.",
                    TunnelState.Down => $"The tunnel {name} is down; last handshake {report.LastHandshake?.ToString("u") ?? "never"}, endpoint {report.Endpoint?.ToString() ?? "unknown"}.",
                    _ => $"The tunnel {name} is connecting.",
                },
            };
        }

        var isBlind = report.ReachesInside is false;
        if (isBlind != last.ReachesInside is false)
        {
            yield return new EventRow
            {
                At = now,
                Type = isBlind ? "gateway-blind" : "gateway-sees",
                Severity = isBlind ? "warning" : "info",
                Subject = $"gateway/{far}",
                Actor = $"agent/{gateway}",
                Message = isBlind
                    ? $"{gateway} sends nothing by {far} any more: the tunnel is well, but what is behind it answers through another gateway only."
                    : $"{gateway} sends by {far} again: what is behind it answers through it, or through no gateway.",
            };
        }
    }
}
