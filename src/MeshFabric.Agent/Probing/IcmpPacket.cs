using System.Buffers.Binary;

namespace MeshFabric.Agent.Probing;

/// <summary>Echo messages of ICMP (RFC 792): u8 type, u8 code 0, u16 checksum, u16 identifier, u16 sequence, payload; all big endian.</summary>
static class IcmpPacket
{
    public const byte EchoReply = 0, EchoRequest = 8;

    const int HeaderBytes = 8;

    public static byte[] Echo(byte type, ushort identifier, ushort sequence, ReadOnlySpan<byte> payload)
    {
        var packet = new byte[HeaderBytes + payload.Length];
        packet[0] = type;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), identifier);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), sequence);
        payload.CopyTo(packet.AsSpan(HeaderBytes));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), Checksum(packet));
        return packet;
    }

    /// <param name="packet">As a raw socket gives it, from the header of IPv4 on.</param>
    /// <returns>False when it is no echo message of this type.</returns>
    public static bool TryRead(ReadOnlySpan<byte> packet, byte type, out ushort identifier, out ushort sequence, out ReadOnlySpan<byte> payload)
    {
        identifier = sequence = 0;
        payload = default;
        var header = packet.Length > 0 ? (packet[0] & 15) * 4 : 0;
        if (header < 20 || packet.Length < header + HeaderBytes || packet[header] != type)
        {
            return false;
        }

        var icmp = packet[header..];
        identifier = BinaryPrimitives.ReadUInt16BigEndian(icmp[4..]);
        sequence = BinaryPrimitives.ReadUInt16BigEndian(icmp[6..]);
        payload = icmp[HeaderBytes..];
        return true;
    }

    static ushort Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (var i = 0; i + 1 < bytes.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]);
        }

        sum += (bytes.Length & 1) == 1 ? (uint)bytes[^1] << 8 : 0;
        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
