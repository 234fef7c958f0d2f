using MeshFabric.Agent.Probing;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Agent.Tunnels;

// What is behind the far gateways.
public sealed partial class TunnelWatch
{
    static void Count(WatchedTunnel watched)
    {
        lock (watched)
        {
            watched.Probes++;
        }
    }

    // Only of a connected one is that asked.
    static bool IsToldInside(WatchedTunnel watched) =>
        watched.Peer.Beacons.Count == 0 || watched.Liveness.State != TunnelState.Connected || watched.Inside.HasAnswered || watched.Inside.LostInARow >= PathLiveness.DeadAfter;

    static int Cost(WatchedTunnel watched) => watched.Peer.Beacons.Count > 0 ? 2 : 1;

    async Task ProbeInsideAsync(WatchedTunnel watched, Action changed)
    {
        Cidr? beacon;
        bool early;
        TimeSpan limit;
        lock (watched)
        {
            beacon = watched.Liveness.State == TunnelState.Connected ? watched.NextBeacon() : null;
            (early, limit) = (!watched.Inside.HasAnswered, watched.Inside.Limit);
        }

        if (beacon is null || _sockets.TargetByAnyWay(watched.Device, [beacon]) is not (var socket, var target))
        {
            return;
        }

        var siblings = _watched.Values.Where(w => w.Peer.Cluster == watched.Peer.Cluster).ToList();
        // Its answer may come by any of them, and is not taken for traffic there.
        siblings.ForEach(Count);
        var trip = await socket.EchoAsync(target, ProbePayload, limit, CancellationToken.None);
        bool isOther, isQuicker;
        lock (watched)
        {
            var (before, wasQuick) = (watched.Inside.IsAlive, watched.IsQuick);
            if (trip is { } answered)
            {
                watched.Inside.Answered(answered);
            }
            else
            {
                watched.Inside.Lost(early);
            }

            (isOther, isQuicker) = (watched.Inside.IsAlive != before, watched.IsQuick && !wasQuick);
        }

        if (Blind(siblings) | isOther)
        {
            changed();
            _signal.Wake();
        }
        else if (isQuicker)
        {
            _signal.Wake();
        }
    }

    /// <summary>Judges the gateways of one cluster together; true when another one is blind now.</summary>
    static bool Blind(List<WatchedTunnel> gateways)
    {
        var blind = Blindness.Of(gateways.ConvertAll(g => (g.Liveness.State == TunnelState.Connected, g.Inside)));
        var changed = false;
        foreach (var (gateway, isBlind) in gateways.Zip(blind))
        {
            changed |= gateway.IsBlind != isBlind;
            gateway.IsBlind = isBlind;
        }

        return changed;
    }
}
