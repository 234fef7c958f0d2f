using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;
using MeshFabric.Netlink;

namespace MeshFabric.WireGuard.Linux;

/// <summary>Attributes of the generic netlink family "wireguard" (include/uapi/linux/wireguard.h). Pure.</summary>
static class KernelCodec
{
    public const string Family = "wireguard";
    public const byte Version = 1;
    public const byte GetDevice = 0;
    public const byte SetDevice = 1;

    /// <summary>A nested attribute holds at most 64 KiB; a message is closed before it may not fit the next peer.</summary>
    public const int SplitBytes = 30_000;

    const uint RemoveMe = 1, ReplaceAllowedIps = 2, UpdateOnly = 4;

    public static void WriteName(MessageWriter writer, string device) => writer.AttributeText(DeviceAttribute.Name, device);

    /// <summary>The device's own values and as many peers as fit; returns the index of the first peer that was left out.</summary>
    public static int WriteChange(MessageWriter writer, string device, DeviceChange change, int firstPeer)
    {
        WriteName(writer, device);
        if (firstPeer == 0)
        {
            if (change.PrivateKey is not null)
            {
                writer.Attribute(DeviceAttribute.PrivateKey, change.PrivateKey.Bytes);
            }

            if (change.ListenPort is { } port)
            {
                writer.AttributeU16(DeviceAttribute.ListenPort, (ushort)port);
            }

            if (change.FirewallMark is { } mark)
            {
                writer.AttributeU32(DeviceAttribute.FirewallMark, mark);
            }
        }

        if (change.Peers.Count == 0)
        {
            return 0;
        }

        var start = writer.Length;
        var peers = writer.BeginNested(DeviceAttribute.Peers);
        var index = firstPeer;
        for (; index < change.Peers.Count && (index == firstPeer || writer.Length - start < SplitBytes); index++)
        {
            WritePeer(writer, index - firstPeer, change.Peers[index]);
        }

        writer.EndNested(peers);
        return index;
    }

    static void WritePeer(MessageWriter writer, int index, PeerChange peer)
    {
        var nested = writer.BeginNested(index);
        writer.Attribute(PeerAttribute.PublicKey, peer.PublicKey.Bytes);
        writer.AttributeU32(PeerAttribute.Flags, (peer.Remove ? RemoveMe : 0) | (peer.AllowedIps is null ? 0 : ReplaceAllowedIps) | (peer.Add || peer.Remove ? 0 : UpdateOnly));
        if (peer.PresharedKey is not null)
        {
            writer.Attribute(PeerAttribute.PresharedKey, peer.PresharedKey.Bytes);
        }
        else if (peer.ClearPresharedKey)
        {
            writer.Attribute(PeerAttribute.PresharedKey, stackalloc byte[PublicKey.Size]);
        }

        if (peer.Endpoint is not null)
        {
            WriteEndpoint(writer, peer.Endpoint);
        }

        if (peer.PersistentKeepaliveSeconds is { } keepalive)
        {
            writer.AttributeU16(PeerAttribute.Keepalive, (ushort)keepalive);
        }

        if (peer.AllowedIps is { Count: > 0 } allowed)
        {
            var list = writer.BeginNested(PeerAttribute.AllowedIps);
            for (var i = 0; i < allowed.Count; i++)
            {
                var item = writer.BeginNested(i);
                writer.AttributeU16(AllowedIpAttribute.Family, allowed[i].IsIPv4 ? (ushort)2 : (ushort)10);
                writer.AttributeAddress(AllowedIpAttribute.Address, allowed[i].Address);
                writer.AttributeU8(AllowedIpAttribute.Length, (byte)allowed[i].Length);
                writer.EndNested(item);
            }

            writer.EndNested(list);
        }

        writer.EndNested(nested);
    }

    // struct sockaddr_in: u16 family, be16 port, 4 bytes, 8 of padding; sockaddr_in6: u16 family, be16 port, be32 flow, 16 bytes, u32 scope
    static void WriteEndpoint(MessageWriter writer, IPEndPoint endpoint)
    {
        var v4 = endpoint.AddressFamily == AddressFamily.InterNetwork;
        Span<byte> bytes = stackalloc byte[v4 ? 16 : 28];
        bytes.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, v4 ? (ushort)2 : (ushort)10);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)endpoint.Port);
        endpoint.Address.TryWriteBytes(bytes[(v4 ? 4 : 8)..], out _);
        if (!v4)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], (uint)endpoint.Address.ScopeId);
        }

        writer.Attribute(PeerAttribute.Endpoint, bytes);
    }

    /// <summary>Adds what one message of a dump tells; a peer may be split over several.</summary>
    public static void Read(ReadOnlySpan<byte> payload, DeviceBuilder device)
    {
        var attributes = new AttributeReader(payload);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case DeviceAttribute.PublicKey when attributes.Value.Length == PublicKey.Size:
                    device.PublicKey = attributes.Value.ContainsAnyExcept((byte)0) ? new PublicKey(attributes.Value) : null;
                    break;
                case DeviceAttribute.ListenPort:
                    device.ListenPort = attributes.U16();
                    break;
                case DeviceAttribute.FirewallMark:
                    device.FirewallMark = attributes.U32();
                    break;
                case DeviceAttribute.Peers:
                    var peers = attributes.Nested();
                    while (peers.MoveNext())
                    {
                        ReadPeer(peers.Value, device);
                    }

                    break;
            }
        }
    }

    static void ReadPeer(ReadOnlySpan<byte> payload, DeviceBuilder device)
    {
        PeerBuilder? peer = null;
        var attributes = new AttributeReader(payload);
        while (attributes.MoveNext())
        {
            if (attributes.Type == PeerAttribute.PublicKey && attributes.Value.Length == PublicKey.Size)
            {
                peer = device.Peer(new PublicKey(attributes.Value));
                continue;
            }

            if (peer is null)
            {
                continue;
            }

            switch (attributes.Type)
            {
                case PeerAttribute.PresharedKey:
                    peer.HasPresharedKey = attributes.Value.ContainsAnyExcept((byte)0);
                    break;
                case PeerAttribute.Endpoint:
                    peer.Endpoint = ReadEndpoint(attributes.Value);
                    break;
                case PeerAttribute.Keepalive:
                    peer.Keepalive = attributes.U16();
                    break;
                case PeerAttribute.LastHandshake when attributes.Value.Length >= 16:
                    // struct __kernel_timespec: s64 seconds, s64 nanoseconds
                    var seconds = BinaryPrimitives.ReadInt64LittleEndian(attributes.Value);
                    var nanoseconds = BinaryPrimitives.ReadInt64LittleEndian(attributes.Value[8..]);
                    peer.LastHandshake = seconds == 0 && nanoseconds == 0 ? null : DateTimeOffset.UnixEpoch.AddSeconds(seconds).AddTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
                    break;
                case PeerAttribute.ReceivedBytes:
                    peer.ReceivedBytes = attributes.U64();
                    break;
                case PeerAttribute.SentBytes:
                    peer.SentBytes = attributes.U64();
                    break;
                case PeerAttribute.AllowedIps:
                    var list = attributes.Nested();
                    while (list.MoveNext())
                    {
                        ReadAllowedIp(list.Nested(), peer);
                    }

                    break;
            }
        }
    }

    static void ReadAllowedIp(AttributeReader attributes, PeerBuilder peer)
    {
        IPAddress? address = null;
        var length = 0;
        while (attributes.MoveNext())
        {
            address = attributes.Type == AllowedIpAttribute.Address ? attributes.Address() : address;
            length = attributes.Type == AllowedIpAttribute.Length ? attributes.U8() : length;
        }

        if (address is not null && length <= (address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128))
        {
            peer.AllowedIps.Add(Cidr.Of(address, length));
        }
    }

    static IPEndPoint? ReadEndpoint(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        >= 28 when bytes[0] == 10 => new IPEndPoint(new IPAddress(bytes.Slice(8, 16), BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..])), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..])),
        >= 16 when bytes[0] == 2 => new IPEndPoint(new IPAddress(bytes.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..])),
        _ => null,
    };

    static class DeviceAttribute
    {
        public const int Name = 2, PrivateKey = 3, PublicKey = 4, ListenPort = 6, FirewallMark = 7, Peers = 8;
    }

    static class PeerAttribute
    {
        public const int PublicKey = 1, PresharedKey = 2, Flags = 3, Endpoint = 4, Keepalive = 5, LastHandshake = 6, ReceivedBytes = 7, SentBytes = 8, AllowedIps = 9;
    }

    static class AllowedIpAttribute
    {
        public const int Family = 1, Address = 2, Length = 3;
    }
}

/// <summary>Gathers a device from the messages of a dump.</summary>
sealed class DeviceBuilder(string name)
{
    readonly Dictionary<PublicKey, PeerBuilder> _peers = [];

    public PublicKey? PublicKey { get; set; }
    public int ListenPort { get; set; }
    public uint FirewallMark { get; set; }

    public PeerBuilder Peer(PublicKey key)
    {
        if (!_peers.TryGetValue(key, out var peer))
        {
            _peers[key] = peer = new PeerBuilder();
        }

        return peer;
    }

    public DeviceState Build() => new(name, PublicKey, ListenPort, FirewallMark, _peers
        .OrderBy(p => p.Key)
        .Select(p => new PeerState(p.Key, p.Value.HasPresharedKey, p.Value.Endpoint, p.Value.Keepalive, p.Value.LastHandshake, p.Value.ReceivedBytes, p.Value.SentBytes, p.Value.AllowedIps.Order().ToValueList()))
        .ToValueList());
}

sealed class PeerBuilder
{
    public bool HasPresharedKey { get; set; }
    public IPEndPoint? Endpoint { get; set; }
    public int Keepalive { get; set; }
    public DateTimeOffset? LastHandshake { get; set; }
    public ulong ReceivedBytes { get; set; }
    public ulong SentBytes { get; set; }
    public List<Cidr> AllowedIps { get; } = [];
}
