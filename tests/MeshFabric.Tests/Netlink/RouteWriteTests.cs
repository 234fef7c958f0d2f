using System.Net;
using System.Net.NetworkInformation;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;
using static MeshFabric.Tests.Netlink.AnnotatedHex;

namespace MeshFabric.Tests.Netlink;

/// <summary>
/// linux/rtnetlink.h, if_link.h, if_addr.h, fib_rules.h. The same as the ip program (iproute2 6.1) sends for the same wish, seen by strace,
/// but for what a comment says: the order of attributes, and the nested bit 0x8000, which the kernel takes with or without.
/// </summary>
public sealed class RouteWriteTests
{
    [Fact]
    public void A_wireguard_link_is_added() => Is(
        """
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  # struct ifinfomsg
        08 00 03 00 6d 66 30 00                          # IFLA_IFNAME "mf0"
        14 00 12 80                                      # IFLA_LINKINFO (ip: no nested bit)
          0d 00 01 00 77 69 72 65 67 75 61 72 64 00 00 00  # IFLA_INFO_KIND "wireguard"
        """,
        Written(w => RouteMessages.WriteNewLink(w, "mf0", "wireguard")));

    [Fact]
    public void A_link_is_set_up() => Is(
        """
        00 00 00 00  # ifi_family, pad, ifi_type
        04 00 00 00  # ifi_index
        01 00 00 00  # ifi_flags: IFF_UP
        01 00 00 00  # ifi_change
        """,
        Written(w => RouteMessages.WriteLink(w, 4, flags: 1, change: 1)));

    [Fact]
    public void A_vxlan_link_is_added() => Is(
        """
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  # struct ifinfomsg
        08 00 03 00 76 78 30 00                          # IFLA_IFNAME "vx0"
        0a 00 01 00 02 00 00 00 00 01 00 00              # IFLA_ADDRESS
        34 00 12 80                                      # IFLA_LINKINFO
          09 00 01 00 76 78 6c 61 6e 00 00 00            # IFLA_INFO_KIND "vxlan"
          24 00 02 80                                    # IFLA_INFO_DATA
            08 00 01 00 5f 1b 00 00                      # IFLA_VXLAN_ID 7007
            08 00 04 00 c0 00 02 01                      # IFLA_VXLAN_LOCAL
            05 00 07 00 00 00 00 00                      # IFLA_VXLAN_LEARNING 0
            06 00 0f 00 12 b6 00 00                      # IFLA_VXLAN_PORT 4790, big-endian
        """,
        Written(w => RouteMessages.WriteNewVxlan(w, "vx0", new VxlanOptions(7007, IPAddress.Parse("192.0.2.1"), 4790, PhysicalAddress.Parse("02-00-00-00-00-01")))));

    [Fact]
    public void A_vxlan_link_over_IPv6_is_added() => Is(
        """
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        08 00 03 00 76 78 30 00
        40 00 12 80
          09 00 01 00 76 78 6c 61 6e 00 00 00
          30 00 02 80
            08 00 01 00 ff ff ff 00                      # the largest identifier
            14 00 11 00 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  # IFLA_VXLAN_LOCAL6
            05 00 07 00 00 00 00 00
            06 00 0f 00 ff ff 00 00
        """,
        Written(w => RouteMessages.WriteNewVxlan(w, "vx0", new VxlanOptions(0xffffff, IPAddress.Parse("2001:db8::1"), 65535, null))));

    [Fact]
    public void An_IPv4_address_is_added() => Is(
        """
        02 20 00 00              # AF_INET, /32, flags, RT_SCOPE_UNIVERSE
        04 00 00 00              # ifa_index
        08 00 02 00 c6 13 00 01  # IFA_LOCAL
        08 00 01 00 c6 13 00 01  # IFA_ADDRESS
        """,
        Written(w => RouteMessages.WriteAddress(w, new LinkAddress(4, IPAddress.Parse("198.19.0.1"), 32))));

    [Fact]
    public void An_IPv6_address_is_added_without_duplicate_detection() => Is(
        """
        0a 80 02 00              # AF_INET6, /128, IFA_F_NODAD, RT_SCOPE_UNIVERSE
        04 00 00 00
        14 00 02 00 fd 19 00 00 00 00 00 00 00 00 00 00 00 00 00 01
        14 00 01 00 fd 19 00 00 00 00 00 00 00 00 00 00 00 00 00 01
        """,
        Written(w => RouteMessages.WriteAddress(w, new LinkAddress(4, IPAddress.Parse("fd19::1"), 128))));

    [Fact]
    public void A_route_with_source_and_MTU() => Is(
        """
        02 10 00 00              # AF_INET, /16, no source prefix, tos 0
        fe 4d fd 01              # RT_TABLE_MAIN, protocol 77, RT_SCOPE_LINK, RTN_UNICAST
        00 00 00 00              # rtm_flags
        08 00 01 00 0a 02 00 00  # RTA_DST
        08 00 0f 00 fe 00 00 00  # RTA_TABLE (ip: only above 255)
        08 00 07 00 c6 13 00 01  # RTA_PREFSRC
        0c 00 08 80              # RTA_METRICS (ip: no nested bit)
          08 00 02 00 78 05 00 00  # RTAX_MTU 1400
        08 00 04 00 04 00 00 00  # RTA_OIF
        """,
        Written(w => RouteMessages.WriteRoute(w, new DeviceRoute(Cidr.Parse("10.2.0.0/16"), IPAddress.Parse("198.19.0.1"), [new(4)], 1400, 77, 254))));

    [Fact]
    public void A_route_by_several_links_in_a_large_table() => Is(
        """
        02 10 00 00
        00 4d fd 01              # RT_TABLE_UNSPEC: RTA_TABLE has it
        00 00 00 00
        08 00 01 00 0a 03 00 00
        08 00 0f 00 35 04 00 00  # RTA_TABLE 1077
        14 00 09 80              # RTA_MULTIPATH (ip: no nested bit)
          08 00 00 00 04 00 00 00  # struct rtnexthop: length 8, flags, weight - 1, index
          08 00 00 00 05 00 00 00
        """,
        Written(w => RouteMessages.WriteRoute(w, new DeviceRoute(Cidr.Parse("10.3.0.0/16"), null, [new(4), new(5)], 0, 77, 1077))));

    [Fact]
    public void A_route_that_refuses() => Is(
        """
        02 10 00 00
        00 4d 00 07              # RT_TABLE_UNSPEC, protocol 77, RT_SCOPE_UNIVERSE, RTN_UNREACHABLE
        00 00 00 00
        08 00 01 00 0a 03 00 00
        08 00 0f 00 1e 1e 00 00  # RTA_TABLE 7710
        08 00 06 00 ff ff ff 7f  # RTA_PRIORITY
        """,
        Written(w => RouteMessages.WriteRoute(w, new DeviceRoute(Cidr.Parse("10.3.0.0/16"), null, [], 0, 77, 7710) { IsUnreachable = true })));

    [Fact]
    public void An_IPv6_route_by_several_links() => Is(
        """
        0a 30 00 00
        fe 4d 00 01              # RT_SCOPE_UNIVERSE: IPv6 has no other
        00 00 00 00
        14 00 01 00 fd 10 00 02 00 00 00 00 00 00 00 00 00 00 00 00
        08 00 0f 00 fe 00 00 00
        3c 00 09 80
          1c 00 00 00 04 00 00 00                                      # length 28
            14 00 05 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01  # RTA_GATEWAY
          1c 00 00 00 05 00 00 00
            14 00 05 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
        """,
        Written(w => RouteMessages.WriteRoute(w, new DeviceRoute(Cidr.Parse("fd10:2::/48"), null, [new(4), new(5)], 0, 77, 254))));

    [Fact]
    public void A_lookup() => Is(
        """
        02 20 00 00 00 00 00 00 00 00 00 00  # struct rtmsg: AF_INET, /32
        08 00 01 00 0a 02 03 04              # RTA_DST
        """,
        Written(w => RouteMessages.WriteLookup(w, IPAddress.Parse("10.2.3.4"))));

    // ip sends the same attributes in another order.
    [Fact]
    public void A_rule_with_everything() => Is(
        """
        02 10 10 00              # AF_INET, to /16, from /16, tos
        00 00 00 01              # RT_TABLE_UNSPEC, reserved, FR_ACT_TO_TBL
        00 00 00 00              # flags
        08 00 06 00 69 00 00 00  # FRA_PRIORITY 105
        08 00 0f 00 35 04 00 00  # FRA_TABLE 1077
        05 00 15 00 4d 00 00 00  # FRA_PROTOCOL 77
        07 00 03 00 6c 6f 00 00  # FRA_IIFNAME "lo"
        08 00 01 00 0a 02 00 00  # FRA_DST
        08 00 02 00 0a 01 00 00  # FRA_SRC
        08 00 0a 00 77 00 00 00  # FRA_FWMARK
        08 00 10 00 ff 00 00 00  # FRA_FWMASK
        """,
        Written(w => RuleMessages.Write(w, new PolicyRule(105, true, 1077, "lo", Cidr.Parse("10.1.0.0/16"), Cidr.Parse("10.2.0.0/16"), 0x77, 77, 0xff))));
}
