using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace MeshFabric.Agent.Transit;

/// <summary>The payloads of echo messages (RFC 792) by which a gateway asks a hub, inside their tunnel, whom it does not reach, and is told.</summary>
/// <remarks>
/// Question: a text of 8 bytes. Answer: a text of 8 bytes, u32 number of the answer, u16 part, u16 parts, then 8 bytes for each cluster (<see cref="Of"/>); all big endian.
/// In parts, for an answer must fit into the narrowest tunnel. ICMP, for it needs no port that somebody must open.
/// </remarks>
static class ReachPacket
{
    /// <summary>Clusters in one part; with all headers 1,180 bytes.</summary>
    public const int PerPart = 140;

    const int ClusterBytes = 8, HeaderBytes = 16;

    static ReadOnlySpan<byte> Asked => "mf-way-1"u8;

    static ReadOnlySpan<byte> Told => "mf-not-1"u8;

    public static byte[] Request() => Asked.ToArray();

    public static bool IsRequest(ReadOnlySpan<byte> payload) => payload.SequenceEqual(Asked);

    /// <summary>What stands for a cluster: the first 8 bytes of the SHA-256 of its name.</summary>
    public static ulong Of(string cluster) => BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(cluster)));

    public static IEnumerable<byte[]> Answer(uint number, IReadOnlyCollection<ulong> unreached)
    {
        var parts = Math.Max(1, (unreached.Count + PerPart - 1) / PerPart);
        for (var part = 0; part < parts; part++)
        {
            var clusters = unreached.Skip(part * PerPart).Take(PerPart).ToArray();
            var payload = new byte[HeaderBytes + (clusters.Length * ClusterBytes)];
            Told.CopyTo(payload);
            BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan(8), number);
            BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(12), (ushort)part);
            BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(14), (ushort)parts);
            for (var i = 0; i < clusters.Length; i++)
            {
                BinaryPrimitives.WriteUInt64BigEndian(payload.AsSpan(HeaderBytes + (i * ClusterBytes)), clusters[i]);
            }

            yield return payload;
        }
    }

    /// <returns>Null when it is no part of an answer.</returns>
    public static ReachPart? Read(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < HeaderBytes || !payload.StartsWith(Told) || (payload.Length - HeaderBytes) % ClusterBytes != 0)
        {
            return null;
        }

        var (part, parts) = (BinaryPrimitives.ReadUInt16BigEndian(payload[12..]), BinaryPrimitives.ReadUInt16BigEndian(payload[14..]));
        if (part >= parts)
        {
            return null;
        }

        var clusters = new ulong[(payload.Length - HeaderBytes) / ClusterBytes];
        for (var i = 0; i < clusters.Length; i++)
        {
            clusters[i] = BinaryPrimitives.ReadUInt64BigEndian(payload[(HeaderBytes + (i * ClusterBytes))..]);
        }

        return new ReachPart(BinaryPrimitives.ReadUInt32BigEndian(payload[8..]), part, parts, clusters);
    }
}

sealed record ReachPart(uint Number, int Part, int Parts, IReadOnlyList<ulong> Unreached);
