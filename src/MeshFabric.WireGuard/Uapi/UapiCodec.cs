using System.Globalization;
using System.Net;
using System.Text;
using MeshFabric.Net;

namespace MeshFabric.WireGuard.Uapi;

/// <summary>The cross-platform userspace configuration protocol (https://www.wireguard.com/xplatform/): key=value lines, ended by an empty line. Pure.</summary>
public static class UapiCodec
{
    public const string Get = "get=1\n\n";

    /// <summary>A <c>set</c> operation. Contains secrets: only for the socket.</summary>
    public static string FormatSet(DeviceChange change)
    {
        var text = new StringBuilder("set=1\n");
        if (change.PrivateKey is not null)
        {
            Line(text, "private_key", Hex(change.PrivateKey.Bytes));
        }

        if (change.ListenPort is { } port)
        {
            Line(text, "listen_port", Number(port));
        }

        if (change.FirewallMark is { } mark)
        {
            Line(text, "fwmark", mark.ToString(CultureInfo.InvariantCulture));
        }

        foreach (var peer in change.Peers)
        {
            FormatPeer(text, peer);
        }

        return text.Append('\n').ToString();
    }

    static void FormatPeer(StringBuilder text, PeerChange peer)
    {
        Line(text, "public_key", Hex(peer.PublicKey.Bytes));
        if (peer.Remove)
        {
            Line(text, "remove", "true");
            return;
        }

        if (!peer.Add)
        {
            Line(text, "update_only", "true");
        }

        if (peer.PresharedKey is not null)
        {
            Line(text, "preshared_key", Hex(peer.PresharedKey.Bytes));
        }
        else if (peer.ClearPresharedKey)
        {
            Line(text, "preshared_key", new string('0', 64));
        }

        if (peer.Endpoint is not null)
        {
            Line(text, "endpoint", peer.Endpoint.ToString());
        }

        if (peer.PersistentKeepaliveSeconds is { } keepalive)
        {
            Line(text, "persistent_keepalive_interval", Number(keepalive));
        }

        if (peer.AllowedIps is { } allowed)
        {
            if (!peer.KeepsAllowedIps)
            {
                Line(text, "replace_allowed_ips", "true");
            }

            foreach (var cidr in allowed)
            {
                Line(text, "allowed_ip", cidr.ToString());
            }
        }
    }

    /// <summary>Reads the answer to a <c>set</c>.</summary>
    /// <exception cref="WireGuardException">The answer carries an error number, or is none.</exception>
    public static void ParseSet(string answer)
    {
        var errno = Lines(answer).Where(l => l.Key == "errno").Select(l => l.Value).FirstOrDefault()
            ?? throw new WireGuardException(WireGuardError.Protocol, "the device's answer to a set has no errno line");
        if (errno != "0")
        {
            throw new WireGuardException(WireGuardError.Refused, $"the device refused its configuration (errno {errno})");
        }
    }

    /// <summary>Reads the answer to a <c>get</c>. Unknown keys are skipped, as the protocol asks.</summary>
    /// <exception cref="WireGuardException">An error number, a malformed value, or no end.</exception>
    public static DeviceState ParseGet(string device, string answer)
    {
        PublicKey? own = null;
        int port = 0;
        uint mark = 0;
        var ended = false;
        var peers = new List<PeerLines>();
        foreach (var (key, value) in Lines(answer))
        {
            switch (key)
            {
                case "errno" when value != "0":
                    throw new WireGuardException(WireGuardError.Refused, $"reading {device} was refused (errno {value})");
                case "errno":
                    ended = true;
                    break;
                case "private_key":
                    own = IsZero(value) ? null : new PrivateKey(Bytes(value)).ToPublicKey();
                    break;
                case "listen_port":
                    port = (int)Unsigned(key, value, ushort.MaxValue);
                    break;
                case "fwmark":
                    mark = (uint)Unsigned(key, value, uint.MaxValue);
                    break;
                case "public_key":
                    peers.Add(new PeerLines(new PublicKey(Bytes(value))));
                    break;
                default:
                    peers.LastOrDefault()?.Read(key, value);
                    break;
            }
        }

        return ended
            ? new DeviceState(device, own, port, mark, peers.Select(p => p.ToState()).OrderBy(p => p.PublicKey).ToValueList())
            : throw new WireGuardException(WireGuardError.Protocol, $"the answer of {device} ends early");
    }

    static IEnumerable<(string Key, string Value)> Lines(string answer) =>
        from line in answer.Split('\n')
        let at = line.IndexOf('=', StringComparison.Ordinal)
        where at > 0
        select (line[..at], line[(at + 1)..]);

    static void Line(StringBuilder text, string key, string value) => text.Append(key).Append('=').Append(value).Append('\n');

    static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

    static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    static bool IsZero(string hex) => hex.All(c => c == '0');

    static byte[] Bytes(string hex)
    {
        try
        {
            return hex.Length == 64 ? Convert.FromHexString(hex) : throw new FormatException();
        }
        catch (FormatException e)
        {
            throw new WireGuardException(WireGuardError.Protocol, "a key in the device's answer is not 64 hex digits", e);
        }
    }

    static ulong Unsigned(string key, string value, ulong largest = ulong.MaxValue) =>
        ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= largest
            ? number
            : throw new WireGuardException(WireGuardError.Protocol, $"{key} in the device's answer is not a number up to {largest}: {value}");

    sealed class PeerLines(PublicKey key)
    {
        // 9999-12-31, the last day that a DateTimeOffset knows.
        const ulong LatestSecond = 253_402_214_400;

        readonly List<Cidr> _allowed = [];
        PresharedKey? _preshared;
        IPEndPoint? _endpoint;
        ulong _keepalive, _seconds, _nanoseconds, _received, _sent;

        public void Read(string name, string value)
        {
            switch (name)
            {
                case "preshared_key":
                    _preshared = IsZero(value) ? null : new PresharedKey(Bytes(value));
                    break;
                case "endpoint":
                    _endpoint = IPEndPoint.TryParse(value, out var endpoint) ? endpoint : throw new WireGuardException(WireGuardError.Protocol, $"an endpoint in the device's answer is malformed: {value}");
                    break;
                case "persistent_keepalive_interval":
                    _keepalive = Unsigned(name, value, ushort.MaxValue);
                    break;
                case "last_handshake_time_sec":
                    _seconds = Unsigned(name, value, LatestSecond);
                    break;
                case "last_handshake_time_nsec":
                    _nanoseconds = Unsigned(name, value, 999_999_999);
                    break;
                case "rx_bytes":
                    _received = Unsigned(name, value);
                    break;
                case "tx_bytes":
                    _sent = Unsigned(name, value);
                    break;
                case "allowed_ip":
                    _allowed.Add(Cidr.TryParse(value, out var cidr, out var error) ? cidr : throw new WireGuardException(WireGuardError.Protocol, error));
                    break;
            }
        }

        public PeerState ToState() => new(key, _preshared, _endpoint, (int)_keepalive, Handshake(), _received, _sent, _allowed.Order().ToValueList());

        DateTimeOffset? Handshake() => _seconds == 0 && _nanoseconds == 0
            ? null
            : DateTimeOffset.UnixEpoch.AddSeconds(_seconds).AddTicks((long)_nanoseconds / TimeSpan.NanosecondsPerTick);
    }
}
