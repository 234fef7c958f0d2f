using System.Net;
using CsCheck;
using MeshFabric.Net;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Route;
using static MeshFabric.Tests.Netlink.AnnotatedHex;

namespace MeshFabric.Tests.Netlink;

/// <summary>Answers of a Linux 6.1 kernel, behind their struct nlmsghdr, and damaged ones.</summary>
public sealed class RouteReadTests
{
    // ip route get 10.2.3.4
    const string LookupAnswer = """
        02 20 00 00 fe 00 00 01 00 02 00 00  # struct rtmsg: RTM_F_LOOKUP_TABLE
        08 00 0f 00 fe 00 00 00              # RTA_TABLE
        08 00 01 00 0a 02 03 04              # RTA_DST
        08 00 04 00 04 00 00 00              # RTA_OIF
        08 00 07 00 c6 13 00 01              # RTA_PREFSRC
        0c 00 08 00 08 00 02 00 78 05 00 00  # RTA_METRICS { RTAX_MTU 1400 }
        08 00 19 00 00 00 00 00              # RTA_UID
        24 00 0c 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  # RTA_CACHEINFO
        """;

    // ip -6 route show
    const string MultipathRoute = """
        0a 30 00 00 fe 4d 00 01 00 00 00 00
        08 00 0f 00 fe 00 00 00
        14 00 01 00 fd 10 00 02 00 00 00 00 00 00 00 00 00 00 00 00
        08 00 06 00 00 04 00 00                                      # RTA_PRIORITY
        3c 00 09 00                                                  # RTA_MULTIPATH
          1c 00 00 00 04 00 00 00 14 00 05 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
          1c 00 00 00 05 00 00 00 14 00 05 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
        24 00 0c 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        05 00 14 00 00 00 00 00                                      # RTA_PREF
        """;

    // ip rule show
    const string Rule = """
        02 10 10 00 fc 00 00 01 00 00 00 00  # RT_TABLE_COMPAT: the table is above 255
        08 00 0f 00 35 04 00 00              # FRA_TABLE
        08 00 0e 00 ff ff ff ff              # FRA_SUPPRESS_PREFIXLEN
        05 00 15 00 4d 00 00 00              # FRA_PROTOCOL
        07 00 03 00 6c 6f 00 00              # FRA_IIFNAME
        08 00 06 00 69 00 00 00              # FRA_PRIORITY
        08 00 01 00 0a 02 00 00              # FRA_DST
        08 00 02 00 0a 01 00 00              # FRA_SRC
        """;

    // ip link show, shortened to what is read and some of what is not
    const string Link = """
        00 00 01 00 04 00 00 00 c3 00 01 00 00 00 00 00  # ARPHRD_ETHER, index 4, IFF_UP ...
        07 00 03 00 64 30 00 00                          # IFLA_IFNAME "d0"
        05 00 10 00 00 00 00 00                          # IFLA_OPERSTATE
        08 00 04 00 5a 05 00 00                          # IFLA_MTU 1370
        0a 00 01 00 be 87 94 16 24 bb 00 00              # IFLA_ADDRESS
        10 00 12 00 0a 00 01 00 64 75 6d 6d 79 00 00 00  # IFLA_LINKINFO { IFLA_INFO_KIND "dummy" }
        """;

    const string Address = """
        02 18 80 00 04 00 00 00  # AF_INET, /24, IFA_F_PERMANENT, index 4
        08 00 01 00 0a fe 01 02  # IFA_ADDRESS: of the peer
        08 00 02 00 0a fe 01 01  # IFA_LOCAL
        07 00 03 00 64 30 00 00  # IFA_LABEL
        """;

    [Fact]
    public void Answers_of_the_kernel_are_read()
    {
        Assert.Equal(new DeviceRoute(Cidr.Parse("10.2.3.4/32"), IPAddress.Parse("198.19.0.1"), [new(4)], 1400, 0, 254), RouteMessages.ReadRoute(Bytes(LookupAnswer)));
        Assert.Equal(new DeviceRoute(Cidr.Parse("fd10:2::/48"), null, [new(4), new(5)], 0, 77, 254), RouteMessages.ReadRoute(Bytes(MultipathRoute)));
        Assert.Equal(new PolicyRule(105, true, 1077, "lo", Cidr.Parse("10.1.0.0/16"), Cidr.Parse("10.2.0.0/16"), 0, 77), RuleMessages.Read(Bytes(Rule)));
        Assert.Equal(new Link(4, "d0", "dummy", 1370, true), RouteMessages.ReadLink(Bytes(Link)));
        Assert.Equal(new LinkAddress(4, IPAddress.Parse("10.254.1.1"), 24), RouteMessages.ReadAddress(Bytes(Address)));
    }

    [Fact]
    public void What_is_none_of_ours_is_skipped()
    {
        Assert.Null(RouteMessages.ReadRoute(Bytes("02 20 00 00 ff 02 fe 03 00 00 00 00 08 00 01 00 0a ff ff ff")));  // RTN_BROADCAST
        Assert.Null(RouteMessages.ReadRoute(Bytes("1c 14 00 00 fe 04 00 01 00 00 00 00")));  // AF_MPLS
        Assert.Null(RuleMessages.Read(Bytes("02 00 00 00 00 00 00 08 00 00 00 00")));  // FR_ACT_PROHIBIT
        Assert.Null(RouteMessages.ReadAddress(Bytes("02 18 80 00 04 00 00 00")));
    }

    [Theory]
    [InlineData("02 21 00 00 fe 4d fd 01 00 00 00 00 08 00 01 00 0a 02 00 00", "the prefix 10.2.0.0/33")]
    [InlineData("0a 81 00 00 fe 4d 00 01 00 00 00 00", "the prefix ::/129")]
    [InlineData("02 10 00 00 fe 4d fd 01 00 00 00 00 08 00 04 00 04", "an attribute of 8 bytes where 5 are left")]
    [InlineData("02 10 00 00 fe 4d fd 01 00 00 00 00 0c 00 09 00 07 00 00 00 04 00 00 00", "a next hop of 7 bytes where 8 are left")]
    [InlineData("02 10 00 00", "4 bytes where a header of 12 is due")]
    public void A_bad_route_is_told(string hex, string told)
    {
        var error = Assert.Throws<NetlinkException>(() => RouteMessages.ReadRoute(Bytes(hex)));
        Assert.StartsWith("reading a message of the kernel", error.Message, StringComparison.Ordinal);
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_damage_does_worse_than_an_error_of_ours()
    {
        SurvivesDamage(Bytes(LookupAnswer), b => RouteMessages.ReadRoute(b));
        SurvivesDamage(Bytes(MultipathRoute), b => RouteMessages.ReadRoute(b));
        SurvivesDamage(Bytes(Rule), b => RuleMessages.Read(b));
        SurvivesDamage(Bytes(Link), b => RouteMessages.ReadLink(b));
        SurvivesDamage(Bytes(Address), b => RouteMessages.ReadAddress(b));
    }

    [Fact]
    public void Every_route_that_is_written_is_read_the_same() =>
        Gen.Select(AnyPrefix, Gen.Bool, Gen.Int[1, 1_000_000].HashSet[1, 8], Gen.Int[0, 9000], Gen.Byte, Gen.UInt[1, uint.MaxValue]).Sample((destination, source, links, mtu, protocol, table) =>
        {
            var route = new DeviceRoute(destination, source ? destination.LastAddress : null, links.Order().Select(l => new RouteHop(l)).ToValueList(), mtu, protocol, table);
            Assert.Equal(route, RouteMessages.ReadRoute(Written(w => RouteMessages.WriteRoute(w, route)).Written));
        });

    [Fact]
    public void Every_rule_that_is_written_is_read_the_same() =>
        Gen.Select(Gen.UInt, Gen.UInt[1, uint.MaxValue], Gen.Bool, AnyPrefix, AnyPrefix, Gen.UInt, Gen.Byte).Sample((priority, table, named, from, to, mark, protocol) =>
        {
            var rule = new PolicyRule(priority, from.IsIPv4, table, named ? "mf0" : null, from, to.IsIPv4 == from.IsIPv4 ? to : null, mark, protocol);
            Assert.Equal(rule, RuleMessages.Read(Written(w => RuleMessages.Write(w, rule)).Written));
        });

    [Fact]
    public void Every_address_that_is_written_is_read_the_same() =>
        Gen.Select(AnyPrefix, Gen.Int[1, int.MaxValue]).Sample((prefix, link) =>
        {
            var address = new LinkAddress(link, prefix.LastAddress, prefix.Length);
            Assert.Equal(address, RouteMessages.ReadAddress(Written(w => RouteMessages.WriteAddress(w, address)).Written));
        });

    internal static readonly Gen<Cidr> AnyPrefix = Gen.Select(Gen.Bool, Gen.Byte.Array[16], Gen.Int[0, 128]).Select((v4, bytes, length) =>
        v4 ? Cidr.Of(new IPAddress(bytes[..4]), length % 33) : Cidr.Of(new IPAddress([0xfd, .. bytes[1..]]), length));
}
