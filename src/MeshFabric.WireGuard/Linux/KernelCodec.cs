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

    /// <summary>A nested attribute holds less than 64 KiB; a message gets no further peer or allowed-ip when its list of peers is this long, in bytes.</summary>
    public const int SplitBytes = 30_000;

    // 9999-12-31, the last day that a DateTimeOffset knows.
    const long LatestSecond = 253_402_214_400;

    const uint RemoveMe = 1, ReplaceAllowedIps = 2, UpdateOnly = 4;

    public static void WriteName(MessageWriter writer, string device) => writer.AttributeText(DeviceAttribute.Name, device);

    /// <summary>Writes as much of the change as fits into one message: the device's own values into the first one, then peers. Returns where the next message begins.</summary>
    /// <remarks>The header of linux/wireguard.h allows it: each message fills in what the ones before left out. It is done when <see cref="ChangePosition.Peer"/> is past the last peer.</remarks>
    public static ChangePosition WriteChange(MessageWriter writer, string device, DeviceChange change, ChangePosition from)
    {
        WriteName(writer, device);
        if (from == ChangePosition.Start)
        {
            WriteDevice(writer, change);
        }

        if (change.Peers.Count == 0)
        {
            return from;
        }

        var start = writer.Length;
        var peers = writer.BeginNested(DeviceAttribute.Peers);
        var at = from;
        while (at.Peer < change.Peers.Count && (at == from || writer.Length - start < SplitBytes))
        {
            var next = WritePeer(writer, at.Peer - from.Peer, change.Peers[at.Peer], at.AllowedIp, start + SplitBytes);
            at = next is { } allowedIp ? at with { AllowedIp = allowedIp } : new ChangePosition(at.Peer + 1, 0);
            if (next is not null)
            {
                break;
            }
        }

        writer.EndNested(peers);
        return at;
    }

    static void WriteDevice(MessageWriter writer, DeviceChange change)
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

    // Null when the peer is complete, else the first allowed-ip that was left out. Later parts only add to the list that the first one began.
    static int? WritePeer(MessageWriter writer, int index, PeerChange peer, int firstAllowedIp, int limit)
    {
        var nested = writer.BeginNested(index);
        writer.Attribute(PeerAttribute.PublicKey, peer.PublicKey.Bytes);
        if (firstAllowedIp == 0)
        {
            WritePeerValues(writer, peer);
        }
        else
        {
            writer.AttributeU32(PeerAttribute.Flags, UpdateOnly);
        }

        int? rest = null;
        if (peer.AllowedIps is { Count: > 0 } allowed)
        {
            var list = writer.BeginNested(PeerAttribute.AllowedIps);
            var i = firstAllowedIp;
            for (; i < allowed.Count && (i == firstAllowedIp || writer.Length < limit); i++)
            {
                WriteAllowedIp(writer, i - firstAllowedIp, allowed[i]);
            }

            writer.EndNested(list);
            rest = i < allowed.Count ? i : null;
        }

        writer.EndNested(nested);
        return rest;
    }

    static void WritePeerValues(MessageWriter writer, PeerChange peer)
    {
        var replace = peer.AllowedIps is not null && !peer.KeepsAllowedIps;
        writer.AttributeU32(PeerAttribute.Flags, (peer.Remove ? RemoveMe : 0) | (replace ? ReplaceAllowedIps : 0) | (peer.Add || peer.Remove ? 0 : UpdateOnly));
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
    }

    static void WriteAllowedIp(MessageWriter writer, int index, Cidr prefix)
    {
        var item = writer.BeginNested(index);
        writer.AttributeU16(AllowedIpAttribute.Family, prefix.IsIPv4 ? (ushort)2 : (ushort)10);
        writer.AttributeAddress(AllowedIpAttribute.Address, prefix.Address);
        writer.AttributeU8(AllowedIpAttribute.Length, (byte)prefix.Length);
        writer.EndNested(item);
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
    /// <exception cref="NetlinkException">It is malformed.</exception>
    public static void Read(ReadOnlySpan<byte> payload, DeviceBuilder device)
    {
        var attributes = new AttributeReader(payload);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case DeviceAttribute.PublicKey:
                    device.PublicKey = attributes.Value.ContainsAnyExcept((byte)0) ? ReadKey(attributes.Value) : null;
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
            if (attributes.Type == PeerAttribute.PublicKey)
            {
                peer = device.Peer(ReadKey(attributes.Value));
            }
            else
            {
                ReadPeerValue(attributes, peer ?? throw NetlinkException.Malformed("a peer that does not begin with its public key"));
            }
        }
    }

    static void ReadPeerValue(AttributeReader attribute, PeerBuilder peer)
    {
        switch (attribute.Type)
        {
            case PeerAttribute.PresharedKey:
                peer.PresharedKey = attribute.Value.Length == PublicKey.Size && attribute.Value.ContainsAnyExcept((byte)0) ? new PresharedKey(attribute.Value) : null;
                break;
            case PeerAttribute.Endpoint:
                peer.Endpoint = ReadEndpoint(attribute.Value);
                break;
            case PeerAttribute.Keepalive:
                peer.Keepalive = attribute.U16();
                break;
            case PeerAttribute.LastHandshake:
                peer.LastHandshake = ReadTime(attribute.Value);
                break;
            case PeerAttribute.ReceivedBytes:
                peer.ReceivedBytes = attribute.U64();
                break;
            case PeerAttribute.SentBytes:
                peer.SentBytes = attribute.U64();
                break;
            case PeerAttribute.AllowedIps:
                var list = attribute.Nested();
                while (list.MoveNext())
                {
                    ReadAllowedIp(list.Nested(), peer);
                }

                break;
        }
    }

    static PublicKey ReadKey(ReadOnlySpan<byte> bytes) =>
        bytes.Length == PublicKey.Size ? new PublicKey(bytes) : throw NetlinkException.Malformed($"a key of {bytes.Length} bytes");

    // struct __kernel_timespec: s64 seconds, s64 nanoseconds; both 0 for never
    static DateTimeOffset? ReadTime(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 16)
        {
            throw NetlinkException.Malformed($"a time of {bytes.Length} bytes");
        }

        var seconds = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        var nanoseconds = BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]);
        if (seconds is < 0 or > LatestSecond || nanoseconds is < 0 or > 999_999_999)
        {
            throw NetlinkException.Malformed($"the time {seconds} s {nanoseconds} ns");
        }

        return seconds == 0 && nanoseconds == 0 ? null : DateTimeOffset.UnixEpoch.AddSeconds(seconds).AddTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
    }

    static void ReadAllowedIp(AttributeReader attributes, PeerBuilder peer)
    {
        IPAddress? address = null;
        int? length = null;
        while (attributes.MoveNext())
        {
            address = attributes.Type == AllowedIpAttribute.Address ? attributes.Address() : address;
            length = attributes.Type == AllowedIpAttribute.Length ? attributes.U8() : length;
        }

        if (address is null || length is null || length > (address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128))
        {
            throw NetlinkException.Malformed($"the allowed-ip {address}/{length}");
        }

        peer.AllowedIps.Add(Cidr.Of(address, length.Value));
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
