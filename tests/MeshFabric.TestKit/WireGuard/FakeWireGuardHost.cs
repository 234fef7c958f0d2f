using System.Globalization;
using System.Net;
using System.Text;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.TestKit.WireGuard;

/// <summary>A host whose WireGuard devices are in memory. It outlives the backends opened on it, as a kernel does, and prints itself without secrets.</summary>
/// <remarks>Held to the same contract as the real implementations (WireGuardBackendContract). No packets: <see cref="Heard"/> is what they would have done.</remarks>
public sealed class FakeWireGuardHost
{
    readonly Lock _lock = new();

    // Null: a link of another kind.
    readonly SortedDictionary<string, FakeDevice?> _links = new(StringComparer.Ordinal);

    /// <summary>Calls that changed a device, made or deleted one.</summary>
    public int Changes { get; private set; }

    public FakeWireGuardBackend Open() => new(this);

    /// <summary>Adds a link that is no WireGuard device.</summary>
    public void AddForeignLink(string name)
    {
        lock (_lock)
        {
            _links.Add(name, null);
        }
    }

    public bool HasLink(string name)
    {
        lock (_lock)
        {
            return _links.ContainsKey(name);
        }
    }

    /// <summary>A peer shook hands from this endpoint: it becomes the device's, and the counters of bytes grow.</summary>
    public void Heard(string device, PublicKey peer, IPEndPoint from, DateTimeOffset handshake, ulong received = 0, ulong sent = 0)
    {
        lock (_lock)
        {
            var state = Device(device).Peers[peer].State;
            Device(device).Peers[peer].State = state with { Endpoint = from, LastHandshake = handshake, ReceivedBytes = state.ReceivedBytes + received, SentBytes = state.SentBytes + sent };
        }
    }

    internal List<string> List()
    {
        lock (_lock)
        {
            return _links.Where(l => l.Value is not null).Select(l => l.Key).ToList();
        }
    }

    internal bool Ensure(string device)
    {
        lock (_lock)
        {
            if (_links.TryGetValue(device, out var existing))
            {
                return existing is not null ? false : throw new WireGuardException(WireGuardError.Refused, $"a link named {device} exists already, of kind 'foreign': delete it, or stop what made it");
            }

            _links.Add(device, new FakeDevice());
            Changes++;
            return true;
        }
    }

    internal void Configure(string name, DeviceConfig wanted, DeviceConfig? lastWanted)
    {
        lock (_lock)
        {
            var device = Device(name);
            var before = device.ToState(name);
            var hadPresharedKeys = device.Peers.ToDictionary(p => p.Key, p => p.Value.PresharedKey);
            device.Key = wanted.PrivateKey.ToPublicKey();
            device.ListenPort = wanted.ListenPort == 0 ? device.ListenPort : wanted.ListenPort;
            device.FirewallMark = wanted.FirewallMark;
            foreach (var gone in device.Peers.Keys.Except(wanted.Peers.Select(p => p.PublicKey)).ToList())
            {
                device.Peers.Remove(gone);
            }

            foreach (var peer in wanted.Peers)
            {
                device.Apply(peer, lastWanted);
            }

            var changed = before != device.ToState(name) || device.Peers.Any(p => !Equals(p.Value.PresharedKey, hadPresharedKeys.GetValueOrDefault(p.Key)));
            Changes += changed ? 1 : 0;
        }
    }

    internal DeviceState Read(string device)
    {
        lock (_lock)
        {
            return Device(device).ToState(device);
        }
    }

    internal void Delete(string device)
    {
        lock (_lock)
        {
            if (_links.GetValueOrDefault(device) is not null)
            {
                _links.Remove(device);
                Changes++;
            }
        }
    }

    /// <summary>One line per device and per peer, sorted; keys by their first 8 characters.</summary>
    public override string ToString()
    {
        lock (_lock)
        {
            var text = new StringBuilder();
            foreach (var (name, device) in _links)
            {
                text.Append(name).Append(device is null ? " foreign\n" : "");
                device?.Print(text);
            }

            return text.ToString();
        }
    }

    FakeDevice Device(string name) => _links.GetValueOrDefault(name) ?? throw new WireGuardException(WireGuardError.NotFound, $"no device {name}");
}

sealed class FakeDevice
{
    public PublicKey? Key { get; set; }
    public int ListenPort { get; set; }
    public uint FirewallMark { get; set; }
    public SortedDictionary<PublicKey, FakePeer> Peers { get; } = [];

    public void Apply(PeerConfig wanted, DeviceConfig? lastWanted)
    {
        if (!Peers.TryGetValue(wanted.PublicKey, out var peer))
        {
            Peers[wanted.PublicKey] = peer = new FakePeer(new PeerState(wanted.PublicKey, null, null, 0, null, 0, 0, []));
        }

        var last = lastWanted?.Peers.FirstOrDefault(p => p.PublicKey == wanted.PublicKey);
        var roamed = peer.State.Endpoint is not null && last is not null && Equals(wanted.Endpoint, last.Endpoint);
        peer.PresharedKey = wanted.PresharedKey;
        peer.State = peer.State with
        {
            PresharedKey = wanted.PresharedKey,
            Endpoint = wanted.Endpoint is null || roamed ? peer.State.Endpoint : wanted.Endpoint,
            PersistentKeepaliveSeconds = wanted.PersistentKeepaliveSeconds,
            AllowedIps = wanted.AllowedIps.Distinct().Order().ToValueList(),
        };
    }

    public DeviceState ToState(string name) => new(name, Key, ListenPort, FirewallMark, Peers.Values.Select(p => p.State).ToValueList());

    public void Print(StringBuilder text)
    {
        text.Append(CultureInfo.InvariantCulture, $" key {Short(Key)} port {ListenPort} mark {FirewallMark}\n");
        foreach (var peer in Peers.Values.Select(p => p.State))
        {
            text.Append(CultureInfo.InvariantCulture, $"  peer {Short(peer.PublicKey)} {peer.Endpoint?.ToString() ?? "nowhere"}");
            text.Append(peer.PresharedKey is not null ? " preshared" : "");
            text.Append(peer.PersistentKeepaliveSeconds > 0 ? string.Create(CultureInfo.InvariantCulture, $" keepalive {peer.PersistentKeepaliveSeconds}") : "");
            text.Append(peer.LastHandshake is { } at ? string.Create(CultureInfo.InvariantCulture, $" handshake {at:u}") : "");
            text.Append(" allowed ").Append(peer.AllowedIps.Count == 0 ? "nothing" : string.Join(' ', peer.AllowedIps)).Append('\n');
        }
    }

    static string Short(PublicKey? key) => key is null ? "none" : key.ToString()[..8];
}

sealed class FakePeer(PeerState state)
{
    public PeerState State { get; set; } = state;
    public PresharedKey? PresharedKey { get; set; }
}
