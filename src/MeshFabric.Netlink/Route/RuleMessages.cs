using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;

namespace MeshFabric.Netlink.Route;

/// <summary>Encodes and decodes policy rules (linux/fib_rules.h). Pure.</summary>
static class RuleMessages
{
    public const ushort New = 32, Delete = 33, Get = 34;

    const byte ToTable = 1;

    // struct fib_rule_hdr: u8 family, dst_len, src_len, tos, table, res1, res2, action, u32 flags
    public static void Write(MessageWriter writer, PolicyRule rule)
    {
        writer.U8(RouteMessages.Family(rule.IsIPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6));
        writer.U8((byte)(rule.Destination?.Length ?? 0));
        writer.U8((byte)(rule.Source?.Length ?? 0));
        writer.U8(0);
        writer.U8(rule.Table < 256 ? (byte)rule.Table : (byte)0);
        writer.U8(0);
        writer.U8(0);
        writer.U8(ToTable);
        writer.U32(0);
        writer.AttributeU32(Attribute.Priority, rule.Priority);
        writer.AttributeU32(Attribute.Table, rule.Table);
        writer.AttributeU8(Attribute.Protocol, rule.Protocol);
        if (rule.InputLink is not null)
        {
            writer.AttributeText(Attribute.InputLink, rule.InputLink);
        }

        if (rule.Destination is not null)
        {
            writer.AttributeAddress(Attribute.Destination, rule.Destination.Address);
        }

        if (rule.Source is not null)
        {
            writer.AttributeAddress(Attribute.Source, rule.Source.Address);
        }

        if (rule.Mark != 0)
        {
            writer.AttributeU32(Attribute.Mark, rule.Mark);
            writer.AttributeU32(Attribute.MarkMask, rule.MarkMask);
        }
    }

    /// <summary>Null for rules that do something else than ask a table.</summary>
    public static PolicyRule? Read(ReadOnlySpan<byte> payload)
    {
        RouteMessages.Need(payload, 12);
        if (payload[0] is not (2 or 10) || payload[7] != ToTable)
        {
            return null;
        }

        uint priority = 0, table = payload[4], mark = 0, mask = uint.MaxValue;
        byte protocol = 0;
        string? input = null;
        IPAddress? source = null, destination = null;
        var attributes = new AttributeReader(payload[12..]);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case Attribute.Destination:
                    destination = attributes.Address();
                    break;
                case Attribute.Source:
                    source = attributes.Address();
                    break;
                case Attribute.InputLink:
                    input = attributes.Text();
                    break;
                case Attribute.Priority:
                    priority = attributes.U32();
                    break;
                case Attribute.Mark:
                    mark = attributes.U32();
                    break;
                case Attribute.MarkMask:
                    mask = attributes.U32();
                    break;
                case Attribute.Table:
                    table = attributes.U32();
                    break;
                case Attribute.Protocol:
                    protocol = attributes.U8();
                    break;
            }
        }

        return new PolicyRule(priority, payload[0] == 2, table, input, Prefix(source, payload[2]), Prefix(destination, payload[1]), mark, protocol, mask);
    }

    static Cidr? Prefix(IPAddress? address, int length) =>
        address is null ? null : RouteMessages.Prefix(address, length);

    static class Attribute
    {
        public const int Destination = 1, Source = 2, InputLink = 3, Priority = 6, Mark = 10, Table = 15, MarkMask = 16, Protocol = 21;
    }
}
