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

    readonly ConcurrentDictionary<string, Probed> _paths = new(StringComparer.Ordinal);
    readonly WakeSignal _signal = new();
    readonly Lock _lock = new();
    Wanted _wanted = new([], null, null, 0, 0);
    EchoSocket? _socket;
    (int Link, IPAddress Source)? _bound;

    /// <param name="Node">Another node may have its name next.</param>
    sealed record Probed(string Node, PathLiveness Path);

    /// <param name="Link">Number of the overlay's link, which sockets are bound to.</param>
    /// <param name="Nodes">Of this cluster: all of them ask each of its gateways.</param>
    /// <param name="Others">Gateways on other nodes, whether they can be asked or not; 0 without an overlay.</param>
    sealed record Wanted(IReadOnlyList<Asked> Targets, OverlayDevice? Overlay, int? Link, int Nodes, int Others);

    sealed record Asked(string Gateway, string Node, IPAddress Target);

    /// <summary>True as well while nothing is known of it, or of any other.</summary>
    public bool IsAlive(string gateway) => _paths.TryGetValue(gateway, out var probed) ? probed.Path.IsAlive || (probed.Path.MayBeAlive && !AnyAnswers) : !AnyAnswers;

    /// <summary>Some other gateway answers that it carries traffic; or there is one, and no way to ask: between nodes that have only IPv6 addresses nobody is asked.</summary>
    public bool OthersCarry => AnyAnswers || (Volatile.Read(ref _wanted) is { Overlay: null } wanted && wanted.Others > 0);

    /// <summary>Some gateway answers that it carries traffic.</summary>
    public bool AnyAnswers => _paths.Values.Any(p => p.Path.IsAlive);

    /// <summary>What is to be probed from now on.</summary>
    public void Want(OverlayFacts facts, NodeConfig config, int? link)
    {
        var overlay = config.Overlay is { Local.AddressFamily: AddressFamily.InterNetwork } device ? device : null;
        var targets = facts.Gateways.Where(g => overlay is not null && g.Node != config.Node)
            .Select(g => (Gateway: g, Target: g.TunnelAddresses.FirstOrDefault(a => a.IsIPv4)?.Address)).Where(g => g.Target is not null).Select(g => new Asked(g.Gateway.Name, g.Gateway.Node, g.Target!)).ToList();
        foreach (var gone in _paths.Where(p => !targets.Exists(t => t.Gateway == p.Key && t.Node == p.Value.Node)).ToList())
        {
            _paths.TryRemove(gone);
        }

        var before = Interlocked.Exchange(ref _wanted, new Wanted(targets, overlay, link, facts.Nodes.Count, config.Overlay is null ? 0 : facts.Gateways.Count(g => g.Node != config.Node)));
        if (before.Targets.Count != targets.Count || before.Overlay != overlay)
        {
            _signal.Wake();
        }
    }

    /// <summary>Probes until cancelled.</summary>
    /// <param name="changed">Called when a gateway died or came back, from any thread.</param>
    public async Task RunAsync(Action changed, CancellationToken cancellationToken)
    {
        var schedule = new ProbeSchedule<Asked>();
        while (!cancellationToken.IsCancellationRequested)
        {
            var wanted = Volatile.Read(ref _wanted);
            // As quick as a gateway can bear from all nodes together.
            var interval = ProbePace.Of(isQuick: true, isAlive: true, wanted.Nodes, wanted.Nodes);
            var (due, pause) = schedule.Next(wanted.Targets.Select(t => (t, interval)), time.GetUtcNow());
            foreach (var asked in due)
            {
                if (wanted is { Overlay: { } overlay, Link: { } link } && Socket(overlay, link) is { } socket)
                {
                    _ = ProbeAsync(asked, socket, changed);
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

    async Task ProbeAsync(Asked asked, EchoSocket socket, Action changed)
    {
        var probed = _paths.GetOrAdd(asked.Gateway, _ => new Probed(asked.Node, new PathLiveness()));
        if (probed.Node != asked.Node)
        {
            return;
        }

        var path = probed.Path;
        var before = (IsAlive(asked.Gateway), AnyAnswers);
        TimeSpan limit;
        bool early;
        lock (path)
        {
            (limit, early) = (path.Limit, !path.HasAnswered);
        }

        var trip = await socket.EchoAsync(asked.Target, Payload, limit, CancellationToken.None);
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

        if ((IsAlive(asked.Gateway), AnyAnswers) != before)
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
