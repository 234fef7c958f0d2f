using System.Collections.Concurrent;
using System.Net.Sockets;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Tunnels;

/// <summary>Probes every tunnel and knows which are alive.</summary>
public sealed class TunnelWatch(TimeProvider time) : IDisposable
{
    static readonly TimeSpan Idle = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);
    const int ProbeBytes = 16;

    readonly ConcurrentDictionary<(string Cluster, string Gateway), Watched> _watched = new();
    readonly ConcurrentDictionary<string, EchoSocket> _sockets = new(StringComparer.Ordinal);

    sealed record Watched(TunnelLiveness Liveness)
    {
        public DateTimeOffset LastProbe { get; set; }
        public PeerState? State { get; set; }
    }

    public int Wanted { get; private set; }

    public int Connected => _watched.Values.Count(w => w.Liveness.State == TunnelState.Connected);

    public bool AllConnected => Connected >= Wanted;

    public bool IsAlive(NextHop hop) => _watched.TryGetValue((hop.Cluster, hop.Gateway), out var w) && w.Liveness.State == TunnelState.Connected;

    /// <summary>Takes over a reading, sends the probes that are due; true when some tunnel's state changed.</summary>
    public bool Update(GatewayConfig config, IReadOnlyDictionary<string, DeviceState> states, IReadOnlyCollection<string> made)
    {
        var now = time.GetUtcNow();
        var changed = false;
        var wanted = new HashSet<(string, string)>();
        foreach (var device in made.Concat(_sockets.Keys.Except(config.Devices.Select(d => d.Name))))
        {
            // Bound to the link's number, which is another one now.
            if (_sockets.TryRemove(device, out var stale))
            {
                stale.Dispose();
            }
        }

        foreach (var device in config.Devices)
        {
            var peers = states.TryGetValue(device.Name, out var state) ? state.Peers.ToDictionary(p => p.PublicKey) : [];
            foreach (var peer in device.Peers)
            {
                wanted.Add((peer.Cluster, peer.Gateway));
                var watched = _watched.GetOrAdd((peer.Cluster, peer.Gateway), _ => new Watched(new TunnelLiveness()));
                watched.State = peers.GetValueOrDefault(peer.PublicKey);
                lock (watched)
                {
                    changed |= watched.Liveness.Update(watched.State?.LastHandshake, now);
                }

                if (watched.Liveness.State != TunnelState.Connected || now - watched.LastProbe >= Idle)
                {
                    watched.LastProbe = now;
                    _ = ProbeAsync(device, peer, watched);
                }
            }
        }

        foreach (var gone in _watched.Keys.Where(k => !wanted.Contains(k)).ToList())
        {
            _watched.TryRemove(gone, out _);
            changed = true;
        }

        Wanted = wanted.Count;
        return changed;
    }

    public ValueList<TunnelReport> Report(GatewayConfig config) => config.Devices.SelectMany(d => d.Peers.Select(p =>
    {
        var watched = _watched.GetValueOrDefault((p.Cluster, p.Gateway));
        if (watched is null)
        {
            return new TunnelReport(d.Name, p.Cluster, p.Gateway, TunnelState.Connecting, null, null, null, null, 0, 0);
        }

        // A probe may come back meanwhile.
        lock (watched)
        {
            var state = watched.State;
            return new TunnelReport(d.Name, p.Cluster, p.Gateway, watched.Liveness.State,
                state?.Endpoint is { } e ? new UdpEndpoint(e.Address, e.Port) : null, state?.LastHandshake,
                watched.Liveness.RoundTrip?.TotalSeconds, watched.Liveness.LossRatio, state?.ReceivedBytes ?? 0, state?.SentBytes ?? 0);
        }
    })).ToValueList();

    /// <summary>Answers an administrator's question with measurements of now.</summary>
    public async Task<ProbeCompleted> ProbeAsync(GatewayConfig? config, ProbeTunnels request, CancellationToken cancellationToken)
    {
        var targets = config?.Devices.SelectMany(d => d.Peers.Where(p => p.Cluster == request.ToCluster).Select(p => (Device: d, Peer: p))).ToList() ?? [];
        var results = await Task.WhenAll(targets.Select(t => MeasureAsync(t.Device, t.Peer, request, cancellationToken)));
        return new ProbeCompleted(request.ProbeId, results.ToValueList());
    }

    async Task<ProbeResult> MeasureAsync(TunnelDevice device, TunnelPeer peer, ProbeTunnels request, CancellationToken cancellationToken)
    {
        var trips = new List<double>();
        var target = peer.TunnelAddresses.FirstOrDefault(a => a.IsIPv4)?.Address;
        if (target is null || Socket(device) is not { } socket)
        {
            return new ProbeResult(device.Name, peer.Gateway, 0, 0, [], "the tunnel device is not up");
        }

        var count = Math.Clamp(request.Count, 1, 100);
        for (var i = 0; i < count; i++)
        {
            var trip = await socket.EchoAsync(target, Math.Clamp(request.PayloadBytes, 8, 8000), Limit, cancellationToken);
            if (trip is { } answered)
            {
                trips.Add(answered.TotalSeconds);
            }

            if (i + 1 < count)
            {
                await Task.Delay(Math.Max(request.IntervalMilliseconds, 10), cancellationToken);
            }
        }

        return new ProbeResult(device.Name, peer.Gateway, count, trips.Count, trips.ToValueList(), "");
    }

    public void Dispose()
    {
        foreach (var socket in _sockets.Values)
        {
            socket.Dispose();
        }
    }

    async Task ProbeAsync(TunnelDevice device, TunnelPeer peer, Watched watched)
    {
        if (peer.TunnelAddresses.FirstOrDefault(a => a.IsIPv4)?.Address is not { } target || Socket(device) is not { } socket)
        {
            return;
        }

        var early = !watched.Liveness.HasAnswered;
        var trip = await socket.EchoAsync(target, ProbeBytes, Limit, CancellationToken.None);
        lock (watched)
        {
            if (trip is { } answered)
            {
                watched.Liveness.Answered(answered);
            }
            else
            {
                watched.Liveness.Lost(early);
            }
        }
    }

    EchoSocket? Socket(TunnelDevice device)
    {
        try
        {
            return _sockets.GetOrAdd(device.Name, name => new EchoSocket(name, device.Addresses.First(a => a.IsIPv4).Address, time));
        }
        catch (SocketException)
        {
            // The device or its address is not there yet; the next turn tries again.
            return null;
        }
    }
}
