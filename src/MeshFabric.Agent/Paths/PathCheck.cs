using System.Buffers.Binary;
using System.Security.Cryptography;
using MeshFabric.Net;

namespace MeshFabric.Agent.Paths;

/// <summary>A datagram that finds out whether a path works: an ask, or the answer to one (as RFC 8445 has it with STUN). It goes between the ports of WireGuard itself, or it would say nothing about what a NAT does with those.</summary>
/// <remarks>
/// 48 bytes, big-endian: "mf-path1"; 1 for an ask or 2 for an answer; seven zeros; the first 8 bytes of the SHA-256 of the sender's public key; the number of the ask (8);
/// HMAC-SHA-256 of all before, cut to 16 bytes, under a key that only the two gateways have. WireGuard's own messages begin with 1 to 4, and it drops this one.
/// </remarks>
/// <param name="Sender">Tells whose key to check it with; proves nothing by itself.</param>
public sealed record PathCheck(bool IsAnswer, ulong Sender, ulong Number)
{
    public const int Size = 48;

    const int Authenticated = 32;

    /// <summary>What each begins with: for a filter in the kernel, too.</summary>
    public static ReadOnlySpan<byte> Magic => "mf-path1"u8;

    public byte[] Write(byte[] key)
    {
        var packet = new byte[Size];
        Magic.CopyTo(packet);
        packet[8] = IsAnswer ? (byte)2 : (byte)1;
        BinaryPrimitives.WriteUInt64BigEndian(packet.AsSpan(16), Sender);
        BinaryPrimitives.WriteUInt64BigEndian(packet.AsSpan(24), Number);
        Tag(packet, key).CopyTo(packet.AsSpan(Authenticated));
        return packet;
    }

    /// <summary>Null for whatever is none.</summary>
    public static PathCheck? Read(ReadOnlySpan<byte> packet) => packet.Length == Size && packet.StartsWith(Magic) && packet[8] is 1 or 2
        ? new PathCheck(packet[8] == 2, BinaryPrimitives.ReadUInt64BigEndian(packet[16..]), BinaryPrimitives.ReadUInt64BigEndian(packet[24..]))
        : null;

    public static bool IsAuthentic(ReadOnlySpan<byte> packet, byte[] key) => CryptographicOperations.FixedTimeEquals(packet[Authenticated..], Tag(packet, key));

    public static ulong SenderOf(PublicKey key) => BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(key.Bytes));

    /// <summary>Both sides come to the same one (HKDF, RFC 5869).</summary>
    public static byte[] Key(PrivateKey own, PublicKey far) => HKDF.DeriveKey(HashAlgorithmName.SHA256, own.Agree(far), 32, info: "meshfabric path check 1"u8.ToArray());

    static ReadOnlySpan<byte> Tag(ReadOnlySpan<byte> packet, byte[] key) => HMACSHA256.HashData(key, packet[..Authenticated]).AsSpan(0, Size - Authenticated);
}
