using System.Net.Sockets;

namespace MeshFabric.Netlink.NfTables;

/// <summary>Where things are in an ICMP error of one family. Offsets count from the ICMP header, but for <paramref name="OuterDestination"/>: from the IP header.</summary>
/// <param name="TableFamily">NFPROTO_*.</param>
/// <param name="ErrorTypes">Ranges of ICMP types that carry the packet they complain about.</param>
/// <param name="ChecksumOffset">The checksum that a changed embedded address changes.</param>
sealed record IcmpLayout(
    AddressFamily Family,
    byte TableFamily,
    string Table,
    byte Protocol,
    (byte First, byte Last)[] ErrorTypes,
    int EmbeddedSource,
    int EmbeddedDestination,
    int ChecksumOffset,
    int OuterDestination)
{
    /// <summary>
    /// RFC 792: unreachable, time exceeded, parameter problem; 8 bytes of header, then the embedded IPv4 header with its own checksum at 10.
    /// Address and that checksum change by opposite amounts, so the ICMP checksum over both stays right.
    /// </summary>
    public static readonly IcmpLayout V4 = new(AddressFamily.InterNetwork, 2, "meshfabric_icmp", 1, [(3, 3), (11, 12)], 8 + 12, 8 + 16, 8 + 10, 16);

    /// <summary>RFC 4443: types 1 to 4; 8 bytes of header, then the embedded IPv6 header, which has no checksum: the ICMPv6 one at 2 changes.</summary>
    public static readonly IcmpLayout V6 = new(AddressFamily.InterNetworkV6, 10, "meshfabric_icmp", 58, [(1, 4)], 8 + 8, 8 + 24, 2, 24);

    public static readonly IcmpLayout[] Both = [V4, V6];
}
