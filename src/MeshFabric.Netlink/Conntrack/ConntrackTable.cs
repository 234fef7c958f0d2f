using System.Net;
using System.Net.Sockets;

namespace MeshFabric.Netlink.Conntrack;

/// <summary>One tracked flow: who speaks to whom as the first packet had it, and as answers come.</summary>
/// <param name="Source">Of the first packet.</param>
/// <param name="Destination">Of the first packet; a Service's address where that was translated.</param>
/// <param name="Answerer">Where answers come from: the true far end.</param>
/// <param name="AnsweredTo">Where answers go: another address than <paramref name="Source"/> when that was translated.</param>
public readonly record struct TrackedFlow(IPAddress Source, IPAddress Destination, IPAddress Answerer, IPAddress AnsweredTo);

/// <summary>The kernel's connection tracking (linux/netfilter/nfnetlink_conntrack.h): a flow keeps the translation of its first packet, whatever rules say later.</summary>
public static class ConntrackTable
{
    const int NetfilterProtocol = 12;
    const ushort Subsystem = 1 << 8;
    const ushort New = Subsystem | 0, Get = Subsystem | 1, Delete = Subsystem | 2;
    const int Original = 1, Reply = 2, Identifier = 12, Zone = 18;
    const int TupleIp = 1;
    const int Source4 = 1, Destination4 = 2, Source6 = 3, Destination6 = 4;

    /// <summary>Forgets the flows that are chosen: their next packet is a first one again.</summary>
    /// <returns>How many.</returns>
    /// <exception cref="NetlinkException">The kernel has no connection tracking by netlink, or refused.</exception>
    public static int Forget(Func<TrackedFlow, bool> chosen, string? namespacePath = null)
    {
        using var socket = namespacePath is null ? NetlinkSocket.Open(NetfilterProtocol) : NetlinkSocket.Open(NetfilterProtocol, namespacePath);
        var writer = new MessageWriter();
        var count = 0;
        foreach (var family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            foreach (var key in List(socket, writer, family, chosen))
            {
                writer.Clear();
                var sequence = socket.NextSequence();
                writer.Begin(Delete, MessageFlags.Request | MessageFlags.Ack, sequence);
                WriteHeader(writer, family);
                writer.Bytes(key);
                writer.End();
                // It may have ended meanwhile.
                socket.Exchange(writer, sequence, "forgetting a tracked flow", ignore: e => e == NetlinkException.NoEntry);
                count++;
            }
        }

        return count;
    }

    // The attributes that name a flow, as the kernel gave them.
    static List<byte[]> List(NetlinkSocket socket, MessageWriter writer, AddressFamily family, Func<TrackedFlow, bool> chosen)
    {
        var keys = new List<byte[]>();
        writer.Clear();
        var sequence = socket.NextSequence();
        writer.Begin(Get, MessageFlags.Request | MessageFlags.Dump, sequence);
        WriteHeader(writer, family);
        writer.End();
        socket.Exchange(writer, sequence, "listing tracked flows", (type, payload) =>
        {
            if (type == New && payload.Length > 4 && Read(payload[4..]) is { } flow && chosen(flow))
            {
                keys.Add(Key(payload[4..]));
            }
        });
        return keys;
    }

    // struct nfgenmsg: u8 family, u8 version, u16 resource
    static void WriteHeader(MessageWriter writer, AddressFamily family)
    {
        writer.U8(family == AddressFamily.InterNetwork ? (byte)2 : (byte)10);
        writer.U8(0);
        writer.U16(0);
    }

    static TrackedFlow? Read(ReadOnlySpan<byte> attributes)
    {
        (IPAddress? Source, IPAddress? Destination) original = default, reply = default;
        var reader = new AttributeReader(attributes);
        while (reader.MoveNext())
        {
            switch (reader.Type)
            {
                case Original:
                    original = Addresses(reader.Nested());
                    break;
                case Reply:
                    reply = Addresses(reader.Nested());
                    break;
            }
        }

        return original is { Source: { } source, Destination: { } destination } && reply is { Source: { } answerer, Destination: { } to } ? new TrackedFlow(source, destination, answerer, to) : null;
    }

    static (IPAddress? Source, IPAddress? Destination) Addresses(AttributeReader tuple)
    {
        (IPAddress? Source, IPAddress? Destination) found = default;
        while (tuple.MoveNext())
        {
            if (tuple.Type != TupleIp)
            {
                continue;
            }

            var ip = tuple.Nested();
            while (ip.MoveNext())
            {
                found = ip.Type switch
                {
                    Source4 or Source6 => (ip.Address(), found.Destination),
                    Destination4 or Destination6 => (found.Source, ip.Address()),
                    _ => found,
                };
            }
        }

        return found;
    }

    static byte[] Key(ReadOnlySpan<byte> attributes)
    {
        var key = new List<byte>();
        while (attributes.Length >= 4)
        {
            int length = System.Buffers.Binary.BinaryPrimitives.ReadUInt16LittleEndian(attributes), padded = Math.Min((length + 3) & ~3, attributes.Length);
            if ((System.Buffers.Binary.BinaryPrimitives.ReadUInt16LittleEndian(attributes[2..]) & 0x3fff) is Original or Identifier or Zone)
            {
                key.AddRange(attributes[..padded]);
            }

            attributes = attributes[padded..];
        }

        return [.. key];
    }
}
