using System.Net;
using System.Net.Sockets;
using MeshFabric.Agent.Probing;
using MeshFabric.Domain.Planning;
using MeshFabric.ServiceDefaults;

namespace MeshFabric.Agent.Transit;

/// <summary>Asks the gateways of hubs, by the tunnels to them, whom they do not reach; and, on a hub, tells those who ask, again when that changes.</summary>
/// <remarks>
/// That a hub itself is alive says nothing of what is behind it, and probes of all pairs would be as many as the tunnels that a hub saves. Hubs of two regions ask each other
/// too, so what is lost behind the second is known before the first within two answers.
/// </remarks>
public sealed class ReachExchange(Func<NextHop, bool> isConnected, Action changed, TimeProvider time) : IDisposable
{
    /// <summary>How often each is asked that has answered: what changes meanwhile it tells by itself.</summary>
    public static readonly TimeSpan Usual = TimeSpan.FromSeconds(2);

    static readonly TimeSpan Unknown = TimeSpan.FromMilliseconds(250);

    // Who has not asked for so long does not need to be told.
    static readonly TimeSpan Memory = TimeSpan.FromSeconds(15);
    const double MostASecond = 100;

    readonly Lock _lock = new();
    readonly ReachTable _table = new();
    readonly Dictionary<string, IcmpSocket> _sockets = new(StringComparer.Ordinal);
    readonly Dictionary<(string Device, IPAddress Address), DateTimeOffset> _askers = [];
    readonly WakeSignal _signal = new();
    readonly ushort _identifier = (ushort)Random.Shared.Next(1, ushort.MaxValue);
    GatewayConfig? _config;
    Dictionary<(string Device, IPAddress Address), (string Cluster, string Gateway)> _peers = [];
    List<(string Device, IPAddress Address, NextHop Carrier)> _carriers = [];
    readonly Dictionary<string, ulong> _numbers = new(StringComparer.Ordinal);
    List<ulong> _unreached = [];
    uint _number = (uint)Random.Shared.Next();

    /// <summary>The tunnel to the hub is connected, and the hub reaches the cluster that this hop is towards.</summary>
    public bool Reaches(NextHop hop)
    {
        if (!isConnected(hop))
        {
            return false;
        }

        lock (_lock)
        {
            return hop.Towards is not null && _table.Reaches((hop.Cluster, hop.Gateway), Of(hop.Towards), time.GetUtcNow());
        }
    }

    /// <summary>The hub has said lately whom it does not reach.</summary>
    public bool Knows(NextHop hop)
    {
        lock (_lock)
        {
            return _table.IsKnown((hop.Cluster, hop.Gateway), time.GetUtcNow());
        }
    }

    /// <summary>Takes over what is wanted. Where nobody hands anything on, nothing is asked or told.</summary>
    /// <param name="made">Devices that were made anew: sockets are bound to their numbers.</param>
    public void Update(GatewayConfig config, IReadOnlyCollection<string> made)
    {
        lock (_lock)
        {
            var isOther = !ReferenceEquals(_config, config);
            if (isOther)
            {
                Take(config);
            }

            Close(made.Concat(_sockets.Keys.Except(Wanted(config))).ToList());
            foreach (var dead in _carriers.Select(c => c.Carrier).Where(c => !isConnected(c)))
            {
                _table.Forget((dead.Cluster, dead.Gateway));
            }

            // Before anybody can ask.
            Recheck();
            Open(config);
            if (isOther || made.Count > 0)
            {
                _signal.Wake();
            }
        }
    }

    /// <summary>Some tunnel's state changed: whoever asked lately is told when whom this hub reaches is others now.</summary>
    public void Recheck()
    {
        List<(string Device, IPAddress Address)> askers;
        lock (_lock)
        {
            if (_config is not { Firewall.Transits: true } config)
            {
                return;
            }

            var unreached = Unreached(config).Select(Of).Order().ToList();
            if (unreached.SequenceEqual(_unreached))
            {
                return;
            }

            (_unreached, _number) = (unreached, _number + 1);
            var oldest = time.GetUtcNow() - Memory;
            foreach (var silent in _askers.Where(a => a.Value < oldest).Select(a => a.Key).ToList())
            {
                _askers.Remove(silent);
            }

            askers = [.. _askers.Keys];
        }

        askers.ForEach(a => Tell(a.Device, a.Address, 0, 0));
    }

    /// <summary>Asks until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var schedule = new ProbeSchedule<(string, IPAddress)>();
        while (!cancellationToken.IsCancellationRequested)
        {
            IReadOnlyList<(string Device, IPAddress Address)> due;
            TimeSpan pause;
            lock (_lock)
            {
                var bound = TimeSpan.FromSeconds(_carriers.Count / MostASecond);
                var now = time.GetUtcNow();
                (due, pause) = schedule.Next(_carriers.Select(c => ((c.Device, c.Address), Longer(_table.IsKnown((c.Carrier.Cluster, c.Carrier.Gateway), now) ? Usual : Unknown, bound))), now);
            }

            foreach (var (device, address) in due)
            {
                Send(device, address, IcmpPacket.Echo(IcmpPacket.EchoRequest, _identifier, 0, ReachPacket.Request()));
            }

            await _signal.WaitAsync(pause, cancellationToken);
        }

        static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            Close([.. _sockets.Keys]);
        }
    }

    ulong Of(string cluster)
    {
        if (!_numbers.TryGetValue(cluster, out var number))
        {
            _numbers[cluster] = number = ReachPacket.Of(cluster);
        }

        return number;
    }

    void Take(GatewayConfig config)
    {
        _config = config;
        _numbers.Clear();
        var peers = config.Devices.SelectMany(d => d.Peers.Select(p => (Device: d.Name, Address: p.TunnelAddresses.FirstOrDefault(a => a.IsIPv4)?.Address, p.Cluster, p.Gateway)))
            .Where(p => p.Address is not null).ToList();
        _peers = peers.ToDictionary(p => (p.Device, p.Address!), p => (p.Cluster, p.Gateway));
        var carriers = config.Transits.SelectMany(t => t.Carriers).Select(h => h with { Towards = null }).DistinctBy(h => (h.Cluster, h.Gateway)).ToDictionary(h => (h.Cluster, h.Gateway));
        _carriers = peers.Where(p => carriers.ContainsKey((p.Cluster, p.Gateway))).Select(p => (p.Device, p.Address!, carriers[(p.Cluster, p.Gateway)])).ToList();
        _table.Keep(carriers.Keys.ToHashSet());
    }

    IEnumerable<string> Wanted(GatewayConfig config) => config.Firewall.Transits ? config.Devices.Select(d => d.Name) : _carriers.Select(c => c.Device).Distinct();

    void Open(GatewayConfig config)
    {
        foreach (var device in config.Devices.Where(d => Wanted(config).Contains(d.Name) && !_sockets.ContainsKey(d.Name)))
        {
            try
            {
                var socket = new IcmpSocket(device.Name, device.Addresses.First(a => a.IsIPv4).Address, time);
                _sockets[device.Name] = socket;
                _ = socket.ReceiveAsync((buffer, length, from) => Receive(device.Name, buffer.AsSpan(0, length), from));
            }
            catch (SocketException)
            {
                // The device or its address is not there yet; the next turn tries again.
            }
        }
    }

    void Close(List<string> devices)
    {
        foreach (var device in devices)
        {
            if (_sockets.Remove(device, out var socket))
            {
                socket.Dispose();
            }
        }
    }

    // Without the detours inside of a cluster: whoever asks has other ways.
    IEnumerable<string> Unreached(GatewayConfig config) =>
        config.Devices.SelectMany(d => d.Peers.Select(p => new NextHop(d.Name, p.Cluster, p.Gateway))).GroupBy(h => h.Cluster).Where(c => !c.Any(isConnected)).Select(c => c.Key)
            .Concat(config.Transits.Where(t => !t.Carriers.Any(Reaches)).Select(t => t.Cluster));

    void Receive(string device, ReadOnlySpan<byte> packet, IPAddress from)
    {
        if (IcmpPacket.TryRead(packet, IcmpPacket.EchoRequest, out var identifier, out var sequence, out var asked) && ReachPacket.IsRequest(asked))
        {
            lock (_lock)
            {
                if (_config is not { Firewall.Transits: true } || !_peers.ContainsKey((device, from)))
                {
                    return;
                }

                _askers[(device, from)] = time.GetUtcNow();
            }

            Tell(device, from, identifier, sequence);
        }
        else if (IcmpPacket.TryRead(packet, IcmpPacket.EchoReply, out _, out _, out var told) && ReachPacket.Read(told) is { } part)
        {
            bool isOther;
            lock (_lock)
            {
                isOther = _peers.TryGetValue((device, from), out var carrier) && _carriers.Exists(c => c.Device == device && c.Address.Equals(from)) && _table.Take(carrier, part, time.GetUtcNow());
            }

            if (isOther)
            {
                changed();
            }
        }
    }

    void Tell(string device, IPAddress to, ushort identifier, ushort sequence)
    {
        List<byte[]> answer;
        lock (_lock)
        {
            answer = ReachPacket.Answer(_number, _unreached).ToList();
        }

        answer.ForEach(part => Send(device, to, IcmpPacket.Echo(IcmpPacket.EchoReply, identifier, sequence, part)));
    }

    void Send(string device, IPAddress to, byte[] packet)
    {
        IcmpSocket? socket;
        lock (_lock)
        {
            _sockets.TryGetValue(device, out socket);
        }

        if (socket is not null)
        {
            _ = SendAsync(socket, packet, to);
        }
    }

    static async Task SendAsync(IcmpSocket socket, byte[] packet, IPAddress to)
    {
        try
        {
            await socket.SendAsync(packet, to, CancellationToken.None);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Whoever asked asks again.
        }
    }
}
