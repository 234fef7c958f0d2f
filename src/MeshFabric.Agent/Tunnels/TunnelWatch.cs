using System.Collections.Concurrent;
using MeshFabric.Agent.Probing;
using MeshFabric.Agent.Setup;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.ServiceDefaults;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Tunnels;

/// <summary>Probes every tunnel and knows which are alive.</summary>
public sealed partial class TunnelWatch(TimeProvider time) : IDisposable
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    // What does not come up in this time is not about to.
    static readonly TimeSpan Settling = TimeSpan.FromSeconds(30);
    static readonly byte[] ProbePayload = new byte[16];

    // Of IPv4 and ICMP.
    const int EchoHeaders = 28;

    // As ProbePace counts them.
    const int ProbeWeight = 512;

    // So many tunnels are looked at as often as one; beyond, each more seldom.
    const int TunnelsPerLook = 100;

    readonly ConcurrentDictionary<(string Cluster, string Gateway), WatchedTunnel> _watched = new();
    readonly TunnelSockets _sockets = new(time);
    readonly WakeSignal _signal = new();

    public int Wanted { get; private set; }

    public int Connected => _watched.Values.Count(w => w.Liveness.State == TunnelState.Connected);

    /// <summary>Some tunnel is about to come up.</summary>
    public bool IsSettling => _watched.Values.Any(w => w.Liveness.State != TunnelState.Connected && time.GetUtcNow() - w.Since < Settling);

    /// <summary>False while no tunnel that is wanted carries anything.</summary>
    public bool CarriesAny => Wanted == 0 || _watched.Values.Any(w => w.Liveness.MayCarry);

    /// <summary>The tunnel is connected, and its far gateway reaches what is behind it.</summary>
    public bool IsAlive(NextHop hop) => _watched.TryGetValue((hop.Cluster, hop.Gateway), out var w) && w.Liveness.State == TunnelState.Connected && !w.IsBlind;

    /// <summary>The tunnel is connected, whatever is behind it: enough for a hub to hand on to others.</summary>
    public bool IsConnected(NextHop hop) => _watched.TryGetValue((hop.Cluster, hop.Gateway), out var w) && w.Liveness.State == TunnelState.Connected;

    /// <summary>It carried, and carries no more.</summary>
    public bool IsDown(TunnelPeer peer) => _watched.TryGetValue((peer.Cluster, peer.Gateway), out var w) && w.Liveness.State == TunnelState.Down;

    /// <summary>Whether it carries is known: false right after the agent's start, until the first answer or for as long as none may still come.</summary>
    public bool IsTold(NextHop hop) => _watched.TryGetValue((hop.Cluster, hop.Gateway), out var w) && (w.Liveness.State != TunnelState.Connecting || !w.Liveness.MayCarry) && (hop.Towards is not null || IsToldInside(w));

    /// <summary>Of the pre-shared keys that the tunnels' last handshakes were made with; 0 while one of them is not known.</summary>
    public int OldestKeyEpoch => _watched.Values.Where(w => w.Peer.KeyEpoch > 0).Select(w => w.KeyEpoch).DefaultIfEmpty(int.MaxValue).Min();

    /// <summary>How large a packet this tunnel takes, bytes.</summary>
    public int MtuOf(NextHop hop) => _watched.TryGetValue((hop.Cluster, hop.Gateway), out var w) ? w.Mtu.Mtu : MtuSearch.Usual;

    /// <summary>Takes over a reading; true when some tunnel's state changed.</summary>
    /// <param name="bounds">What the kernel knows to fit through the tunnel to each peer, bytes.</param>
    /// <param name="keys">As they are on the devices.</param>
    public bool Update(GatewayConfig config, IReadOnlyDictionary<string, DeviceState> states, IReadOnlyCollection<string> made, IReadOnlyDictionary<PublicKey, int> bounds, TunnelKeys keys)
    {
        var now = time.GetUtcNow();
        var (changed, isQuicker) = (false, false);
        var wanted = new HashSet<(string, string)>();
        _sockets.Keep(config.Devices.Select(d => d.Name).Except(made));
        foreach (var device in config.Devices)
        {
            var peers = states.TryGetValue(device.Name, out var state) ? state.Peers.ToDictionary(p => p.PublicKey) : [];
            foreach (var peer in device.Peers)
            {
                wanted.Add((peer.Cluster, peer.Gateway));
                var watched = _watched.GetOrAdd((peer.Cluster, peer.Gateway), _ => new WatchedTunnel(now) { Device = device, Peer = peer });
                lock (watched)
                {
                    if (watched.Peer.PublicKey != peer.PublicKey)
                    {
                        watched.Succeed();
                    }

                    (watched.Device, watched.Peer, watched.Bound) = (device, peer, bounds.GetValueOrDefault(peer.PublicKey, MtuSearch.Usual));
                    var endpoint = watched.State?.Endpoint;
                    var wasQuick = watched.IsQuick;
                    watched.Read(peers.GetValueOrDefault(peer.PublicKey), now);
                    isQuicker |= watched.IsQuick && !wasQuick;
                    // Nobody is asked any more who could say otherwise.
                    watched.IsBlind &= peer.Beacons.Count > 0;
                    changed |= watched.Keyed(keys.EpochOf(peer.PublicKey), now);
                    // Where a peer is that nobody can dial is news to all the others.
                    changed |= watched.Judge(now) | (peer.Endpoints.Count == 0 && !Equals(endpoint, watched.State?.Endpoint));
                }
            }
        }

        foreach (var gone in _watched.Keys.Where(k => !wanted.Contains(k)).ToList())
        {
            _watched.TryRemove(gone, out _);
            changed = true;
        }

        Wanted = wanted.Count;
        if (changed || isQuicker || made.Count > 0)
        {
            _signal.Wake();
        }

        return changed;
    }

    /// <summary>Probes until cancelled.</summary>
    /// <param name="changed">Called when a tunnel's state changed by what its probes told, from any thread.</param>
    public async Task RunAsync(Action changed, CancellationToken cancellationToken)
    {
        var schedule = new ProbeSchedule<WatchedTunnel>();
        while (!cancellationToken.IsCancellationRequested)
        {
            var all = _watched.Values.ToList();
            // Those with beacons cost twice as much.
            var quick = all.Sum(w => w.IsQuick ? Cost(w) : 0);
            var cost = all.Sum(Cost);
            var (due, pause) = schedule.Next(all.Select(w => (w, ProbePace.Of(w.IsQuick, w.Liveness.State == TunnelState.Connected, quick, cost))), time.GetUtcNow());
            foreach (var watched in due)
            {
                _ = ProbeAsync(watched, changed);
                _ = ProbeInsideAsync(watched, changed);
            }

            var untilNext = MeasureSizes(all, changed);
            pause = untilNext < pause ? untilNext : pause;
            await _signal.WaitAsync(pause, cancellationToken);
        }
    }

    /// <summary>Sends what is due of the large packets that find out what passes, and tells when to come again.</summary>
    TimeSpan MeasureSizes(List<WatchedTunnel> all, Action changed)
    {
        var (now, next) = (time.GetUtcNow(), DateTimeOffset.MaxValue);
        foreach (var watched in all)
        {
            int? size;
            lock (watched)
            {
                if (watched.Liveness.State != TunnelState.Connected)
                {
                    continue;
                }

                size = watched.Mtu.Due(watched.Bound, now, 1 + (all.Count / TunnelsPerLook));
                next = watched.Mtu.Next < next ? watched.Mtu.Next : next;
                // What they weigh is not taken for traffic.
                watched.Probes += size is { } bytes ? 1 + (2 * bytes / ProbeWeight) : 0;
            }

            if (size is not null)
            {
                _ = MeasureSizeAsync(watched, size.Value, changed);
            }
        }

        return next > now ? next - now : MtuSearch.Try;
    }

    async Task MeasureSizeAsync(WatchedTunnel watched, int size, Action changed)
    {
        if (_sockets.Target(watched.Device, watched.Peer.TunnelAddresses) is not (var socket, var target))
        {
            return;
        }

        var before = watched.Mtu.Mtu;
        var trip = await socket.EchoAsync(target, new byte[size - EchoHeaders], watched.Liveness.Path.Limit, CancellationToken.None);
        // Only when a small one passes right after it was the size that did not.
        var isAlive = trip is null && await socket.EchoAsync(target, ProbePayload, watched.Liveness.Path.Limit, CancellationToken.None) is not null;
        lock (watched)
        {
            if (trip is not null)
            {
                watched.Mtu.Passed(size, time.GetUtcNow());
            }
            else
            {
                watched.Mtu.Lost(size, isAlive, time.GetUtcNow());
            }
        }

        if (watched.Mtu.Mtu != before)
        {
            changed();
        }
    }

    public ValueList<TunnelReport> Report(GatewayConfig config) => config.Devices.SelectMany(d => d.Peers.Select(p => Report(d.Name, p))).ToValueList();

    TunnelReport Report(string device, TunnelPeer peer)
    {
        if (!_watched.TryGetValue((peer.Cluster, peer.Gateway), out var watched))
        {
            return new TunnelReport(device, peer.Cluster, peer.Gateway, TunnelState.Connecting, null, null, null, null, 0, 0);
        }

        // A probe may come back meanwhile.
        lock (watched)
        {
            var report = watched.Report(device, peer);
            return report with { LastHandshake = report.LastHandshake is { } at ? SteadyTime.ToWall(time, at) : null };
        }
    }

    /// <summary>Answers an administrator's question with measurements of now.</summary>
    public async Task<ProbeCompleted> ProbeAsync(GatewayConfig? config, ProbeTunnels request, CancellationToken cancellationToken)
    {
        var targets = config is null ? [] : ProbeTargets.Of(config, request.ToCluster);
        var results = await Task.WhenAll(targets.Select(t => MeasureAsync(t, request, cancellationToken)));
        return new ProbeCompleted(request.ProbeId, results.ToValueList());
    }

    async Task<ProbeResult> MeasureAsync(ProbeTarget to, ProbeTunnels request, CancellationToken cancellationToken)
    {
        var trips = new List<double>();
        if ((to.IsHandedOn ? _sockets.TargetByAnyWay(to.Device, to.Addresses) : _sockets.Target(to.Device, to.Addresses)) is not (var socket, var target))
        {
            return new ProbeResult(to.Device.Name, to.Name, 0, 0, [], "the tunnel device is not up");
        }

        var (count, payload) = (Math.Clamp(request.Count, 1, 100), new byte[Math.Clamp(request.PayloadBytes, 8, 8000)]);
        for (var i = 0; i < count; i++)
        {
            var trip = await socket.EchoAsync(target, payload, Limit, cancellationToken);
            if (trip is { } answered)
            {
                trips.Add(answered.TotalSeconds);
            }

            if (i + 1 < count)
            {
                await Task.Delay(Math.Max(request.IntervalMilliseconds, 10), cancellationToken);
            }
        }

        return new ProbeResult(to.Device.Name, to.Name, count, trips.Count, trips.ToValueList(), "");
    }

    public void Dispose() => _sockets.Dispose();

    async Task ProbeAsync(WatchedTunnel watched, Action changed)
    {
        if (_sockets.Target(watched.Device, watched.Peer.TunnelAddresses) is not (var socket, var target))
        {
            return;
        }

        bool early;
        TimeSpan limit;
        lock (watched)
        {
            (early, limit) = (!watched.Liveness.Path.HasAnswered, watched.Liveness.Path.Limit);
            watched.Probes++;
        }

        var sentAt = time.GetUtcNow();
        var trip = await socket.EchoAsync(target, ProbePayload, limit, CancellationToken.None);
        bool quicker, other;
        lock (watched)
        {
            var before = watched.IsQuick;
            if (trip is { } answered)
            {
                watched.Answered(answered, sentAt);
            }
            else
            {
                watched.Liveness.Path.Lost(early);
            }

            other = watched.Judge(time.GetUtcNow());
            quicker = watched.IsQuick && !before;
        }

        if (other)
        {
            changed();
        }

        if (other || quicker)
        {
            _signal.Wake();
        }
    }
}
