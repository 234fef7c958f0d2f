using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using MeshFabric.Net;

namespace MeshFabric.Netlink.Route;

/// <summary>Encodes and decodes rtnetlink messages (linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h). Pure.</summary>
static class RouteMessages
{
    public const ushort NewLink = 16, DelLink = 17, GetLink = 18, NewAddress = 20, DelAddress = 21, GetAddress = 22, NewRoute = 24, DelRoute = 25, GetRoute = 26;

    const byte UnicastType = 1, UnreachableType = 7, ThrowType = 9, LinkScope = 253, UniverseScope = 0;
    const int IffUp = 1;

    // struct ifinfomsg: u8 family, u8 pad, u16 type, s32 index, u32 flags, u32 change
    public static void WriteLink(MessageWriter writer, int index, uint flags = 0, uint change = 0)
    {
        writer.U8(0);
        writer.U8(0);
        writer.U16(0);
        writer.U32((uint)index);
        writer.U32(flags);
        writer.U32(change);
    }

    public static void WriteNewLink(MessageWriter writer, string name, string kind)
    {
        WriteLink(writer, 0);
        writer.AttributeText(LinkAttribute.Name, name);
        var info = writer.BeginNested(LinkAttribute.Info);
        writer.Attribute(LinkAttribute.InfoKind, System.Text.Encoding.ASCII.GetBytes(kind));
        writer.EndNested(info);
    }

    public static void WriteLinkName(MessageWriter writer, string name) => writer.AttributeText(LinkAttribute.Name, name);

    // IFLA_VXLAN_*: ID 1, LINK 3, LOCAL 4, LEARNING 7, PORT 15 (big-endian), LOCAL6 17
    public static void WriteNewVxlan(MessageWriter writer, string name, VxlanOptions options)
    {
        WriteLink(writer, 0);
        writer.AttributeText(LinkAttribute.Name, name);
        if (options.HardwareAddress is { } hardware)
        {
            writer.Attribute(LinkAttribute.HardwareAddress, hardware.GetAddressBytes());
        }

        var info = writer.BeginNested(LinkAttribute.Info);
        writer.Attribute(LinkAttribute.InfoKind, "vxlan"u8);
        var data = writer.BeginNested(LinkAttribute.InfoData);
        writer.AttributeU32(1, options.Vni);
        writer.AttributeAddress(options.Local.AddressFamily == AddressFamily.InterNetwork ? 4 : 17, options.Local);
        writer.AttributeU8(7, 0);
        Span<byte> port = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(port, options.Port);
        writer.Attribute(15, port);
        writer.EndNested(data);
        writer.EndNested(info);
    }

    public static Link ReadLink(ReadOnlySpan<byte> payload)
    {
        Need(payload, 16);

        var index = BinaryPrimitives.ReadInt32LittleEndian(payload[4..]);
        var flags = BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]);
        string name = "", kind = "";
        var mtu = 0;
        PhysicalAddress? hardware = null;
        VxlanOptions? vxlan = null;
        var attributes = new AttributeReader(payload[16..]);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case LinkAttribute.Name:
                    name = attributes.Text();
                    break;
                case LinkAttribute.Mtu:
                    mtu = (int)attributes.U32();
                    break;
                case LinkAttribute.HardwareAddress when attributes.Value.Length == 6:
                    hardware = new PhysicalAddress(attributes.Value.ToArray());
                    break;
                case LinkAttribute.Info:
                    var info = attributes.Nested();
                    while (info.MoveNext())
                    {
                        kind = info.Type == LinkAttribute.InfoKind ? info.Text() : kind;
                        vxlan = info.Type == LinkAttribute.InfoData && kind == "vxlan" ? ReadVxlan(info.Nested()) : vxlan;
                    }

                    break;
            }
        }

        return new Link(index, name, kind, mtu, (flags & IffUp) != 0, vxlan is null ? null : vxlan with { HardwareAddress = hardware });
    }

    static VxlanOptions ReadVxlan(AttributeReader data)
    {
        uint vni = 0;
        ushort port = 0;
        var local = IPAddress.Any;
        while (data.MoveNext())
        {
            switch (data.Type)
            {
                case 1:
                    vni = data.U32();
                    break;
                case 4 or 17:
                    local = data.Address() ?? local;
                    break;
                case 15:
                    port = BinaryPrimitives.ReverseEndianness(data.U16());
                    break;
            }
        }

        return new VxlanOptions(vni, local, port, null);
    }

    // struct ifaddrmsg: u8 family, u8 prefix length, u8 flags, u8 scope, u32 index
    public static void WriteAddress(MessageWriter writer, LinkAddress address)
    {
        writer.U8(Family(address.Address.AddressFamily));
        writer.U8((byte)address.Length);
        writer.U8(address.Address.AddressFamily == AddressFamily.InterNetworkV6 ? NoDad : (byte)0);
        writer.U8(UniverseScope);
        writer.U32((uint)address.LinkIndex);
        writer.AttributeAddress(AddressAttribute.Local, address.Address);
        writer.AttributeAddress(AddressAttribute.Address, address.Address);
    }

    // IFA_F_NODAD: duplicate address detection makes no sense on a tunnel and delays the address by a second.
    const byte NoDad = 0x02;

    /// <summary>Null for addresses that are neither IPv4 nor IPv6.</summary>
    public static LinkAddress? ReadAddress(ReadOnlySpan<byte> payload)
    {
        Need(payload, 8);

        IPAddress? local = null, address = null;
        var attributes = new AttributeReader(payload[8..]);
        while (attributes.MoveNext())
        {
            local = attributes.Type == AddressAttribute.Local ? attributes.Address() : local;
            address = attributes.Type == AddressAttribute.Address ? attributes.Address() : address;
        }

        return (local ?? address) is { } own ? new LinkAddress(BinaryPrimitives.ReadInt32LittleEndian(payload[4..]), own, payload[1]) : null;
    }

    // struct rtmsg: u8 family, dst_len, src_len, tos, table, protocol, scope, type, u32 flags
    public static void WriteRoute(MessageWriter writer, DeviceRoute route)
    {
        writer.U8(Family(route.Destination.Family));
        writer.U8((byte)route.Destination.Length);
        writer.U8(0);
        writer.U8(0);
        writer.U8(route.Table < 256 ? (byte)route.Table : (byte)0);
        writer.U8(route.Protocol);
        writer.U8(route.Destination.IsIPv4 && route.Hops.Count > 0 && route.Hops.All(h => h.Gateway is null) ? LinkScope : UniverseScope);
        writer.U8(route.IsUnreachable ? UnreachableType : route.Hops.Count == 0 ? ThrowType : UnicastType);
        writer.U32(route.Hops is [{ Gateway: not null }] ? OnLink : 0u);
        writer.AttributeAddress(RouteAttribute.Destination, route.Destination.Address);
        writer.AttributeU32(RouteAttribute.Table, route.Table);
        if (route.Source is not null)
        {
            writer.AttributeAddress(RouteAttribute.PreferredSource, route.Source);
        }

        if (route.Mtu > 0)
        {
            var metrics = writer.BeginNested(RouteAttribute.Metrics);
            writer.AttributeU32(MetricMtu, (uint)route.Mtu);
            writer.EndNested(metrics);
        }

        if (route.IsUnreachable)
        {
            writer.AttributeU32(RouteAttribute.Priority, LastMetric);
        }

        if (route.Hops.Count == 0)
        {
            return;
        }

        if (route.Hops.Count == 1)
        {
            writer.AttributeU32(RouteAttribute.OutputLink, (uint)route.Hops[0].LinkIndex);
            WriteGateway(writer, route.Destination, route.Hops[0]);
            return;
        }

        // struct rtnexthop: u16 length with its attributes, u8 flags, u8 hops (weight - 1), s32 index
        var multipath = writer.BeginNested(RouteAttribute.Multipath);
        foreach (var hop in route.Hops)
        {
            writer.U16((ushort)(8 + GatewayLength(route.Destination, hop)));
            writer.U8(hop.Gateway is null ? (byte)0 : OnLink);
            writer.U8(0);
            writer.U32((uint)hop.LinkIndex);
            WriteGateway(writer, route.Destination, hop);
        }

        writer.EndNested(multipath);
    }

    // The kernel's own for IPv6 (IP6_RT_PRIO_USER) is 1024: any other route comes before it.
    const uint LastMetric = int.MaxValue;

    // RTNH_F_ONLINK
    const byte OnLink = 4;

    // The kernel takes an IPv6 next hop into ECMP only if it has a gateway (rt6_qualify_for_ecmp); a tunnel never asks who that is. Routes of one
    // next hop have it too, so that one and several replace each other in place.
    static readonly IPAddress AnyGateway = IPAddress.Parse("fe80::1");

    static void WriteGateway(MessageWriter writer, Cidr destination, RouteHop hop)
    {
        if (GatewayOf(destination, hop) is not { } gateway)
        {
            return;
        }

        if (gateway.AddressFamily == destination.Family)
        {
            writer.AttributeAddress(RouteAttribute.Gateway, gateway);
            return;
        }

        // struct rtvia: u16 family, address. IPv4 by an IPv6 neighbour.
        Span<byte> via = stackalloc byte[2 + 16];
        BinaryPrimitives.WriteUInt16LittleEndian(via, Family(gateway.AddressFamily));
        gateway.TryWriteBytes(via[2..], out var length);
        writer.Attribute(RouteAttribute.Via, via[..(2 + length)]);
    }

    static IPAddress? GatewayOf(Cidr destination, RouteHop hop) => hop.Gateway ?? (destination.IsIPv4 ? null : AnyGateway);

    static int GatewayLength(Cidr destination, RouteHop hop) => GatewayOf(destination, hop) switch
    {
        null => 0,
        { } g when g.AddressFamily == destination.Family => 4 + (destination.IsIPv4 ? 4 : 16),
        _ => 4 + 2 + 16 + 2, // padded
    };

    const int MetricMtu = 2;

    /// <summary>Null for routes that are not unicast, "throw" or unreachable, or neither IPv4 nor IPv6.</summary>
    public static DeviceRoute? ReadRoute(ReadOnlySpan<byte> payload)
    {
        Need(payload, 12);
        if (payload[7] is not (UnicastType or ThrowType or UnreachableType) || payload[0] is not (2 or 10))
        {
            return null;
        }

        var family = payload[0] == 2 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
        IPAddress? destination = family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;
        IPAddress? source = null;
        var table = (uint)payload[4];
        var mtu = 0;
        var hops = new List<RouteHop>();
        int? link = null;
        IPAddress? gateway = null;
        var attributes = new AttributeReader(payload[12..]);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case RouteAttribute.Destination:
                    destination = attributes.Address();
                    break;
                case RouteAttribute.PreferredSource:
                    source = attributes.Address();
                    break;
                case RouteAttribute.OutputLink:
                    link = (int)attributes.U32();
                    break;
                case RouteAttribute.Gateway:
                    gateway = attributes.Address();
                    break;
                case RouteAttribute.Via:
                    gateway = Via(attributes.Value);
                    break;
                case RouteAttribute.Table:
                    table = attributes.U32();
                    break;
                case RouteAttribute.Metrics:
                    var metrics = attributes.Nested();
                    while (metrics.MoveNext())
                    {
                        mtu = metrics.Type == MetricMtu ? (int)metrics.U32() : mtu;
                    }

                    break;
                case RouteAttribute.Multipath:
                    ReadNextHops(attributes.Value, hops);
                    break;
            }
        }

        if (link is { } only && payload[7] == UnicastType)
        {
            hops.Add(Hop(only, gateway));
        }

        return destination is null ? null : new DeviceRoute(Prefix(destination, payload[1]), source, hops.Order().ToValueList(), mtu, payload[5], table) { IsUnreachable = payload[7] == UnreachableType };
    }

    static IPAddress? Via(ReadOnlySpan<byte> value) => value.Length is 6 or 18 ? new IPAddress(value[2..]) : null;

    static RouteHop Hop(int link, IPAddress? gateway) => new(link, AnyGateway.Equals(gateway) ? null : gateway);

    static void ReadNextHops(ReadOnlySpan<byte> value, List<RouteHop> hops)
    {
        while (value.Length >= 8)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(value);
            if (length < 8 || length > value.Length)
            {
                throw NetlinkException.Malformed($"a next hop of {length} bytes where {value.Length} are left");
            }

            IPAddress? gateway = null;
            var attributes = new AttributeReader(value[8..length]);
            while (attributes.MoveNext())
            {
                gateway = attributes.Type switch { RouteAttribute.Gateway => attributes.Address(), RouteAttribute.Via => Via(attributes.Value), _ => gateway };
            }

            hops.Add(Hop(BinaryPrimitives.ReadInt32LittleEndian(value[4..]), gateway));
            value = value[Math.Min((length + 3) & ~3, value.Length)..];
        }
    }

    /// <summary>Null for routes of another type or table than main, or neither IPv4 nor IPv6.</summary>
    public static BlackholeRoute? ReadBlackhole(ReadOnlySpan<byte> payload)
    {
        const byte type = 6;
        Need(payload, 12);
        if (payload[7] != type || payload[4] != DeviceRoute.MainTable || payload[0] is not (2 or 10))
        {
            return null;
        }

        var attributes = new AttributeReader(payload[12..]);
        while (attributes.MoveNext())
        {
            if (attributes.Type == RouteAttribute.Destination && attributes.Address() is { } destination)
            {
                return new BlackholeRoute(Prefix(destination, payload[1]), payload[5]);
            }
        }

        return null;
    }

    public static void WriteLookup(MessageWriter writer, IPAddress to)
    {
        writer.U8(Family(to.AddressFamily));
        writer.U8((byte)(to.AddressFamily == AddressFamily.InterNetwork ? 32 : 128));
        for (var i = 0; i < 6; i++)
        {
            writer.U8(0);
        }

        writer.U32(0);
        writer.AttributeAddress(RouteAttribute.Destination, to);
    }

    public static void Need(ReadOnlySpan<byte> payload, int header)
    {
        if (payload.Length < header)
        {
            throw NetlinkException.Malformed($"{payload.Length} bytes where a header of {header} is due");
        }
    }

    public static Cidr Prefix(IPAddress address, int length) => length <= (address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128)
        ? Cidr.Of(address, length)
        : throw NetlinkException.Malformed($"the prefix {address}/{length}");

    public static byte Family(AddressFamily family) => family == AddressFamily.InterNetwork ? (byte)2 : (byte)10;

    static class LinkAttribute
    {
        public const int HardwareAddress = 1, Name = 3, Mtu = 4, Info = 18, InfoKind = 1, InfoData = 2;
    }

    static class AddressAttribute
    {
        public const int Address = 1, Local = 2;
    }

    static class RouteAttribute
    {
        public const int Destination = 1, OutputLink = 4, Gateway = 5, Priority = 6, PreferredSource = 7, Metrics = 8, Multipath = 9, Table = 15, Via = 18;
    }
}
