using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Paths;

/// <summary>Finds ways to those peers that can be dialled no more than we can: asks by all their candidates, answers theirs, and says which way to send by.</summary>
/// <remarks>Decided here alone, from what was measured. One side of each pair chooses; the other one answers to where that comes from, as WireGuard does.</remarks>
public sealed partial class PathFinder(Func<IPathSocket> openSocket, PrivateKey key, TimeProvider time, ILogger log) : IDisposable
{
    // An answer that takes longer is of no use.
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);
    static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1), ShortestPause = TimeSpan.FromMilliseconds(20);

    // Asks a second, however many peers there are: what is due waits for its turn.
    const int MostASecond = 400;

    readonly ConcurrentDictionary<ulong, Peer> _peers = [];
    readonly ConcurrentDictionary<ulong, (ulong Peer, UdpEndpoint To, long At)> _asked = [];
    PrivateKey _key = key;
    ulong _self = PathCheck.SenderOf(key.ToPublicKey());
    readonly WakeSignal _signal = new();
    IPathSocket? _socket;
    double _room;
    DateTimeOffset _roomAt;
    Action? _changed;

    sealed class Peer(byte[] key)
    {
        public byte[] Key => key;
        public CandidateList Ways { get; } = new();
        public int Port { get; set; }
        public bool Initiates { get; set; }
        public PathCandidate? Chosen { get; set; }
    }

    /// <summary>This gateway has another key: what was shared with the others by the former is forgotten. Between two updates.</summary>
    public void Use(PrivateKey key)
    {
        _key = key;
        _self = PathCheck.SenderOf(key.ToPublicKey());
        _peers.Clear();
        _asked.Clear();
    }

    /// <summary>Takes over a plan and a reading.</summary>
    /// <param name="seen">Where each peer's packets came from last.</param>
    public void Update(GatewayConfig config, IReadOnlyDictionary<PublicKey, IPEndPoint> seen, Func<NextHop, bool> isAlive)
    {
        var now = time.GetUtcNow();
        var wanted = new HashSet<ulong>();
        foreach (var device in config.Devices)
        {
            foreach (var peer in device.Peers.Where(p => p.Candidates.Count > 0))
            {
                var id = PathCheck.SenderOf(peer.PublicKey);
                if (!_peers.TryGetValue(id, out var known) && KeyWith(peer) is { } shared)
                {
                    known = _peers.GetOrAdd(id, new Peer(shared));
                }

                if (known is null)
                {
                    continue;
                }

                wanted.Add(id);
                lock (known)
                {
                    (known.Port, known.Initiates) = (device.ListenPort, peer.Initiates);
                    known.Ways.Want(peer.Candidates, now);
                    known.Ways.Observe(
                        seen.TryGetValue(peer.PublicKey, out var e) ? UdpEndpoint.Of(e) : null,
                        isAlive(new NextHop(device.Name, peer.Cluster, peer.Gateway)), now);
                    Judge(known);
                }
            }
        }

        foreach (var gone in _peers.Keys.Where(k => !wanted.Contains(k)).ToList())
        {
            _peers.TryRemove(gone, out _);
        }

        _signal.Wake();
    }

    // One bad key costs only its own gateway.
    byte[]? KeyWith(TunnelPeer peer) => peer.PublicKey.IsUsable ? PathCheck.Key(_key, peer.PublicKey) : null;

    /// <summary>Where to send to this peer; null while no way is known, and where what the device knows is right.</summary>
    public IPEndPoint? Way(TunnelPeer peer) =>
        peer.Candidates.Count > 0 && _peers.TryGetValue(PathCheck.SenderOf(peer.PublicKey), out var known) ? known.Chosen?.Endpoint.ToIPEndPoint() : null;

    /// <summary>Asks and answers until cancelled.</summary>
    /// <param name="changed">Called when another way became the best, from any thread.</param>
    public async Task RunAsync(Action changed, CancellationToken cancellationToken)
    {
        _changed = changed;
        while (!cancellationToken.IsCancellationRequested)
        {
            var pause = LongestPause;
            try
            {
                if (Socket() is { } socket)
                {
                    pause = await AskAsync(socket, cancellationToken);
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                LogNoSocket(log, e.Message);
            }

            await _signal.WaitAsync(pause, cancellationToken);
        }
    }

    // Only while somebody needs it: every datagram that comes to this host is offered to it.
    IPathSocket? Socket()
    {
        try
        {
            if (_peers.IsEmpty)
            {
                _socket?.Dispose();
                return _socket = null;
            }

            return _socket ??= Started(openSocket());
        }
        catch (SocketException e)
        {
            LogNoSocket(log, e.Message);
            return null;
        }
    }

    IPathSocket Started(IPathSocket socket)
    {
        _ = socket.ReceiveAsync(Take);
        return socket;
    }

    async Task<TimeSpan> AskAsync(IPathSocket socket, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var next = now + LongestPause;
        foreach (var (id, ask) in _asked.Where(a => time.GetElapsedTime(a.Value.At) > Limit))
        {
            _asked.TryRemove(id, out _);
        }

        var room = Room(now);
        // Who is asked first changes each time, so that nobody waits for ever when there are many.
        var peers = _peers.ToArray();
        var start = peers.Length > 0 ? Random.Shared.Next(peers.Length) : 0;
        foreach (var (id, peer) in peers[start..].Concat(peers[..start]))
        {
            IReadOnlyList<UdpEndpoint> due;
            int port;
            lock (peer)
            {
                due = room > 0 ? peer.Ways.Due(now) : [];
                port = peer.Port;
                var again = peer.Ways.Next(now);
                next = again < next ? again : next;
                Judge(peer);
            }

            foreach (var to in due)
            {
                room--;
                var number = (ulong)Random.Shared.NextInt64();
                _asked[number] = (id, to, time.GetTimestamp());
                await socket.SendAsync(port, to.ToIPEndPoint(), new PathCheck(IsAnswer: false, _self, number).Write(peer.Key), cancellationToken);
            }
        }

        _room = room;
        var pause = next - now;
        return room <= 0 || pause > CandidateList.Hunting ? Longer(pause, CandidateList.Hunting) : Longer(pause, ShortestPause);

        static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;
    }

    // What the time since the last round allows, and what that round left.
    double Room(DateTimeOffset now)
    {
        var room = Math.Min(_room + ((now - _roomAt).TotalSeconds * MostASecond), MostASecond / 4);
        _roomAt = now;
        return room;
    }

    void Take(int port, IPEndPoint from, ReadOnlySpan<byte> packet)
    {
        if (PathCheck.Read(packet) is not { } check || !_peers.TryGetValue(check.Sender, out var peer) || !PathCheck.IsAuthentic(packet, peer.Key))
        {
            return;
        }

        var source = UdpEndpoint.Of(from);
        if (!check.IsAnswer)
        {
            bool isNew;
            lock (peer)
            {
                if (port != peer.Port)
                {
                    return;
                }

                isNew = peer.Ways.Heard(source, time.GetUtcNow());
            }

            if (_socket is { } socket)
            {
                _ = socket.SendAsync(port, from, new PathCheck(IsAnswer: true, _self, check.Number).Write(peer.Key), CancellationToken.None).AsTask();
            }

            if (isNew)
            {
                _signal.Wake();
            }
        }
        else if (_asked.TryRemove(check.Number, out var ask) && ask.Peer == check.Sender && ask.To == source)
        {
            lock (peer)
            {
                peer.Ways.Answered(source, time.GetElapsedTime(ask.At), time.GetUtcNow());
                Judge(peer);
            }
        }
    }

    void Judge(Peer peer)
    {
        var chosen = peer.Ways.Choose(peer.Initiates);
        if (chosen != peer.Chosen)
        {
            peer.Chosen = chosen;
            _changed?.Invoke();
        }
    }

    public void Dispose() => _socket?.Dispose();

    [LoggerMessage(5020, LogLevel.Warning, "Paths to gateways that can only dial out cannot be checked: {Reason}")]
    static partial void LogNoSocket(ILogger logger, string reason);
}
