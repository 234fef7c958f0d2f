using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;

namespace MeshFabric.Netlink.Route;

/// <summary>Encodes and decodes neighbours and forwarding entries (linux/neighbour.h). Pure.</summary>
static class NeighbourMessages
{
    public const ushort New = 28, Delete = 29, Get = 30;
    public const byte Bridge = 7;

    const ushort Permanent = 0x80;
    const byte Self = 0x02;
    const int Destination = 1, HardwareAddress = 2;

    // struct ndmsg: u8 family, u8 pad, u16 pad, s32 index, u16 state, u8 flags, u8 type
    static void WriteHeader(MessageWriter writer, byte family, int link, ushort state, byte flags)
    {
        writer.U8(family);
        writer.U8(0);
        writer.U16(0);
        writer.U32((uint)link);
        writer.U16(state);
        writer.U8(flags);
        writer.U8(0);
    }

    public static void Write(MessageWriter writer, Neighbour neighbour)
    {
        WriteHeader(writer, RouteMessages.Family(neighbour.Address.AddressFamily), neighbour.LinkIndex, Permanent, 0);
        writer.AttributeAddress(Destination, neighbour.Address);
        writer.Attribute(HardwareAddress, neighbour.HardwareAddress.GetAddressBytes());
    }

    public static void Write(MessageWriter writer, ForwardingEntry entry)
    {
        WriteHeader(writer, Bridge, entry.LinkIndex, Permanent, Self);
        writer.AttributeAddress(Destination, entry.Host);
        writer.Attribute(HardwareAddress, entry.HardwareAddress.GetAddressBytes());
    }

    public static void WriteList(MessageWriter writer, byte family) => WriteHeader(writer, family, 0, 0, 0);

    /// <summary>Null for what is not permanent, or has no hardware address of six bytes.</summary>
    public static Neighbour? ReadNeighbour(ReadOnlySpan<byte> payload)
    {
        RouteMessages.Need(payload, 12);
        var (address, hardware) = Read(payload);
        return (BinaryPrimitives.ReadUInt16LittleEndian(payload[8..]) & Permanent) != 0 && address is not null && hardware is not null
            ? new Neighbour(BinaryPrimitives.ReadInt32LittleEndian(payload[4..]), address, hardware)
            : null;
    }

    /// <summary>Null for entries of other devices than VXLAN ones: those name no host.</summary>
    public static ForwardingEntry? ReadForwarding(ReadOnlySpan<byte> payload)
    {
        RouteMessages.Need(payload, 12);
        var (host, hardware) = Read(payload);
        return payload[0] == Bridge && host is not null && hardware is not null
            ? new ForwardingEntry(BinaryPrimitives.ReadInt32LittleEndian(payload[4..]), hardware, host)
            : null;
    }

    static (IPAddress? Address, PhysicalAddress? Hardware) Read(ReadOnlySpan<byte> payload)
    {
        IPAddress? address = null;
        PhysicalAddress? hardware = null;
        var attributes = new AttributeReader(payload[12..]);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case Destination:
                    address = attributes.Address();
                    break;
                case HardwareAddress when attributes.Value.Length == 6:
                    hardware = new PhysicalAddress(attributes.Value.ToArray());
                    break;
            }
        }

        return (address, hardware);
    }
}
