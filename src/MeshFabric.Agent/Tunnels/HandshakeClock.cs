using MeshFabric.Agent.Setup;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Tunnels;

/// <summary>When handshakes were, by the agent's own clock. Devices tell it by the host's, which may have been set since. From any thread.</summary>
public sealed class HandshakeClock(TimeProvider time)
{
    readonly Lock _lock = new();
    readonly Dictionary<(string Device, PublicKey Peer), (DateTimeOffset Told, DateTimeOffset At)> _known = [];
    readonly TimeProvider _wall = SteadyTime.WallOf(time);

    /// <summary>The reading with its handshakes by the agent's clock: one that is new since the last reading was just now, whatever the device says.</summary>
    public DeviceState Of(DeviceState state)
    {
        lock (_lock)
        {
            foreach (var gone in _known.Keys.Where(k => k.Device == state.Name && !state.Peers.Any(p => p.PublicKey == k.Peer)).ToList())
            {
                _known.Remove(gone);
            }

            return state with { Peers = state.Peers.Select(p => p.LastHandshake is { } told ? p with { LastHandshake = At((state.Name, p.PublicKey), told) } : p).ToValueList() };
        }
    }

    DateTimeOffset At((string Device, PublicKey Peer) peer, DateTimeOffset told)
    {
        var now = time.GetUtcNow();
        if (!_known.TryGetValue(peer, out var known))
        {
            // The first that is heard of it: the device's word is all there is. In the future there was none.
            var age = _wall.GetUtcNow() - told;
            known = (told, age > TimeSpan.Zero ? now - age : now);
        }
        else if (known.Told != told)
        {
            known = (told, now);
        }

        _known[peer] = known;
        return known.At;
    }
}
