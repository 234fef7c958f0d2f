using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Agent.Nodes;

/// <summary>Asks each gateway of this cluster, by the overlay, whether it answers: what carries the traffic is what is probed.</summary>
sealed class GatewayProbes(TimeProvider time) : IDisposable
{
    static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(500);
    const int ProbeBytes = 16;
    const int DeadAfter = 3;

    readonly ConcurrentDictionary<string, int> _lostInARow = new(StringComparer.Ordinal);
    EchoSocket? _socket;
    (string Device, IPAddress Source)? _bound;

    /// <summary>True until three probes in a row were lost.</summary>
    public bool IsAlive(string gateway) => _lostInARow.GetValueOrDefault(gateway) < DeadAfter;

    /// <summary>Sends one probe to each; what comes of it is known with the next turns.</summary>
    /// <param name="changed">Called when a gateway died or came back.</param>
    public void Send(OverlayFacts facts, NodeConfig config, Action changed)
    {
        foreach (var gone in _lostInARow.Keys.Except(facts.Gateways.Select(g => g.Name)))
        {
            _lostInARow.TryRemove(gone, out _);
        }

        if (config.Overlay is not { } overlay || overlay.Local.AddressFamily != AddressFamily.InterNetwork || config.Rules.Any(r => r.Table == NodePlanner.PodTable))
        {
            return;
        }

        foreach (var gateway in facts.Gateways.Where(g => g.Node != config.Node))
        {
            if (gateway.TunnelAddresses.FirstOrDefault(a => a.IsIPv4)?.Address is { } target && Socket(overlay) is { } socket)
            {
                _ = ProbeAsync(gateway.Name, socket, target, changed);
            }
        }
    }

    /// <summary>The device is another one now.</summary>
    public void Reset()
    {
        _socket?.Dispose();
        (_socket, _bound) = (null, null);
    }

    public void Dispose() => Reset();

    async Task ProbeAsync(string gateway, EchoSocket socket, IPAddress target, Action changed)
    {
        var before = IsAlive(gateway);
        var answered = await socket.EchoAsync(target, ProbeBytes, Limit, CancellationToken.None) is not null;
        _lostInARow.AddOrUpdate(gateway, answered ? 0 : 1, (_, lost) => answered ? 0 : lost + 1);
        if (IsAlive(gateway) != before)
        {
            changed();
        }
    }

    EchoSocket? Socket(OverlayDevice overlay)
    {
        if (_bound != (overlay.Name, overlay.Local))
        {
            Reset();
        }

        try
        {
            _socket ??= new EchoSocket(overlay.Name, overlay.Local, time);
            _bound = (overlay.Name, overlay.Local);
            return _socket;
        }
        catch (SocketException)
        {
            // The device is not there yet; the next turn tries again.
            return null;
        }
    }
}
