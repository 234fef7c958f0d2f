using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using MeshFabric.Agent.Probing;
using MeshFabric.Domain.Planning;
using MeshFabric.ServiceDefaults;

namespace MeshFabric.Agent.Nodes;

/// <summary>Asks each gateway of this cluster, by the overlay, whether it carries traffic.</summary>
/// <remarks>Its agent answers, not its kernel: by the way that traffic takes to it, and for what it sees of its tunnels.</remarks>
sealed class GatewayProbes(TimeProvider time) : IDisposable
{
    static readonly byte[] Payload = AgentEcho.Request();

    readonly ConcurrentDictionary<string, PathLiveness> _paths = new(StringComparer.Ordinal);
    readonly WakeSignal _signal = new();
    readonly Lock _lock = new();
    Wanted _wanted = new([], null, null, 0);
    EchoSocket? _socket;
    (int Link, IPAddress Source)? _bound;

    /// <param name="Link">Number of the overlay's link, which sockets are bound to.</param>
    /// <param name="Nodes">Of this cluster: all of them ask each of its gateways.</param>
    sealed record Wanted(IReadOnlyList<(string Gateway, IPAddress Target)> Targets, OverlayDevice? Overlay, int? Link, int Nodes);

    /// <summary>True as well while nothing is known of it.</summary>
    public bool IsAlive(string gateway) => !_paths.TryGetValue(gateway, out var path) || path.MayBeAlive;

    /// <summary>What is to be probed from now on.</summary>
    public void Want(OverlayFacts facts, NodeConfig config, int? link)
    {
        foreach (var gone in _paths.Keys.Except(facts.Gateways.Select(g => g.Name)))
        {
            _paths.TryRemove(gone, out _);
        }

        var overlay = config.Overlay is { Local.AddressFamily: AddressFamily.InterNetwork } device && config.Rules.All(r => r.Table != NodePlanner.PodTable) ? device : null;
        var targets = facts.Gateways.Where(g => overlay is not null && g.Node != config.Node)
            .Select(g => (g.Name, Target: g.TunnelAddresses.FirstOrDefault(a => a.IsIPv4)?.Address)).Where(g => g.Target is not null).Select(g => (g.Name, g.Target!)).ToList();
        var before = Interlocked.Exchange(ref _wanted, new Wanted(targets, overlay, link, facts.Nodes.Count));
        if (before.Targets.Count != targets.Count || before.Overlay != overlay)
        {
            _signal.Wake();
        }
    }

    /// <summary>Probes until cancelled.</summary>
    /// <param name="changed">Called when a gateway died or came back, from any thread.</param>
    public async Task RunAsync(Action changed, CancellationToken cancellationToken)
    {
        var schedule = new ProbeSchedule<(string Gateway, IPAddress Target)>();
        while (!cancellationToken.IsCancellationRequested)
        {
            var wanted = Volatile.Read(ref _wanted);
            // As quick as a gateway can bear from all nodes together.
            var interval = ProbePace.Of(isQuick: true, isAlive: true, wanted.Nodes, wanted.Nodes);
            var (due, pause) = schedule.Next(wanted.Targets.Select(t => (t, interval)), time.GetUtcNow());
            foreach (var (gateway, target) in due)
            {
                if (wanted is { Overlay: { } overlay, Link: { } link } && Socket(overlay, link) is { } socket)
                {
                    _ = ProbeAsync(gateway, socket, target, changed);
                }
            }

            await _signal.WaitAsync(pause, cancellationToken);
        }
    }

    void Reset()
    {
        lock (_lock)
        {
            _socket?.Dispose();
            (_socket, _bound) = (null, null);
        }
    }

    public void Dispose() => Reset();

    async Task ProbeAsync(string gateway, EchoSocket socket, IPAddress target, Action changed)
    {
        var path = _paths.GetOrAdd(gateway, _ => new PathLiveness());
        var before = IsAlive(gateway);
        TimeSpan limit;
        bool early;
        lock (path)
        {
            (limit, early) = (path.Limit, !path.HasAnswered);
        }

        var trip = await socket.EchoAsync(target, Payload, limit, CancellationToken.None);
        lock (path)
        {
            if (trip is { } answered)
            {
                path.Answered(answered);
            }
            else
            {
                path.Lost(early);
            }
        }

        if (IsAlive(gateway) != before)
        {
            changed();
        }
    }

    EchoSocket? Socket(OverlayDevice overlay, int link)
    {
        lock (_lock)
        {
            if (_bound != (link, overlay.Local))
            {
                Reset();
            }

            try
            {
                _socket ??= new EchoSocket(overlay.Name, overlay.Local, time, payload => AgentEcho.Judge(payload));
                _bound = (link, overlay.Local);
                return _socket;
            }
            catch (SocketException)
            {
                // The device is not there yet; the next turn tries again.
                return null;
            }
        }
    }
}
