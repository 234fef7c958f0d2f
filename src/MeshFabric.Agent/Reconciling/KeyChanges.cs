using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Reconciling;

/// <summary>Which far gateways have changed to their next key already, before the facts say so: whoever shows that key has it. From any thread.</summary>
/// <remarks>
/// A device lets an address in by one peer only, so both keys of a gateway cannot carry at once. The next one waits beside, without addresses; the first packet
/// that comes by it, which is a handshake, gives it those of the other one. What still comes by the former session is lost, and nothing was sent there any more.
/// </remarks>
public sealed class KeyChanges
{
    readonly HashSet<PublicKey> _shown = [];

    readonly Lock _lock = new();

    /// <summary>Devices with peers whose next key may be shown.</summary>
    public static IEnumerable<TunnelDevice> Due(GatewayConfig config) => config.Devices.Where(d => d.Peers.Any(p => p.NextKey is not null));

    /// <summary>True when a peer showed its next key just now.</summary>
    public bool Observe(TunnelDevice device, IEnumerable<PeerState> peers)
    {
        lock (_lock)
        {
            var waiting = device.Peers.Select(p => p.NextKey).OfType<PublicKey>().Where(k => !_shown.Contains(k)).ToHashSet();
            var shown = waiting.Count == 0 ? [] : peers.Where(p => waiting.Contains(p.PublicKey) && (p.ReceivedBytes > 0 || p.LastHandshake is not null)).Select(p => p.PublicKey).ToList();
            _shown.UnionWith(shown);
            return shown.Count > 0;
        }
    }

    /// <summary>Keys that no facts know any more.</summary>
    public void Forget(GatewayConfig config)
    {
        lock (_lock)
        {
            if (_shown.Count > 0)
            {
                _shown.IntersectWith(config.Devices.SelectMany(d => d.Peers).Select(p => p.NextKey).OfType<PublicKey>());
            }
        }
    }

    /// <summary>With the keys that are shown in the places of the former ones.</summary>
    public GatewayConfig Apply(GatewayConfig config)
    {
        var changed = Changed(config.Devices.SelectMany(d => d.Peers));
        return changed.Count == 0 ? config : config with
        {
            Devices = config.Devices.Select(Apply).ToValueList(),
            Relays = config.Relays.Select(r => new RelayedPair(Side(r.First), Side(r.Second))).ToValueList(),
        };

        RelayedSide Side(RelayedSide side) => changed.TryGetValue(side.PublicKey, out var next) ? side with { PublicKey = next } : side;
    }

    /// <inheritdoc cref="Apply(GatewayConfig)"/>
    public TunnelDevice Apply(TunnelDevice device)
    {
        var changed = Changed(device.Peers);
        return changed.Count == 0 ? device : device with
        {
            Peers = device.Peers.Select(p => changed.TryGetValue(p.PublicKey, out var next) ? p with { PublicKey = next, NextKey = null } : p).OrderBy(p => p.PublicKey).ToValueList(),
        };
    }

    // By former key.
    Dictionary<PublicKey, PublicKey> Changed(IEnumerable<TunnelPeer> peers)
    {
        lock (_lock)
        {
            return _shown.Count == 0 ? [] : peers.Where(p => p.NextKey is { } next && _shown.Contains(next)).DistinctBy(p => p.PublicKey).ToDictionary(p => p.PublicKey, p => p.NextKey!);
        }
    }
}
