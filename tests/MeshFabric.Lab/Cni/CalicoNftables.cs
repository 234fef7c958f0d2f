using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

/// <summary>Felix with nftablesMode Enabled: one table, its source NAT after everybody else's (srcnat + 10).</summary>
static class CalicoNftables
{
    public static string Table(CniCluster cluster, CniNode node) => Table(
        "ip", cluster.Network, node,
        $"  set cali40all-vxlan-net {{ type ipv4_addr; flags interval; elements = {{ {string.Join(", ", cluster.Nodes.Where(n => n != node || cluster.Nodes.Count == 1).Select(n => n.Address))} }} }}",
        """
            udp dport 4789 ip saddr @cali40all-vxlan-net fib daddr type local accept
            udp dport 4789 fib daddr type local drop
        """,
        """    oifname "vxlan.calico" fib saddr . oif type != local fib saddr type local masquerade fully-random""");

    /// <summary>As <see cref="Table(CniCluster, CniNode)"/>, for IPv6; nothing is encapsulated there.</summary>
    public static string Table6(Cidr pool, CniNode node) => Table("ip6", pool, node, "", "", "");

    static string Table(string family, Cidr pool, CniNode node, string sets, string input, string postrouting) => $$"""
        table {{family}} calico {
          set {{Of(pool)}}masq-ipam-pools { type {{Address(pool)}}; flags interval; elements = { {{pool}} } }
          set {{Of(pool)}}all-ipam-pools { type {{Address(pool)}}; flags interval; elements = { {{pool}} } }
        {{sets}}
        {{string.Concat(node.Pods.Select(EndpointChains))}}
          chain filter-cali-from-wl-dispatch {
        {{string.Concat(node.Pods.Select(p => $"    iifname \"{CalicoState.Device(p)}\" goto filter-cali-fw-{CalicoState.Device(p)}\n"))}}    counter drop comment "Unknown interface"
          }
          chain filter-cali-to-wl-dispatch {
        {{string.Concat(node.Pods.Select(p => $"    oifname \"{CalicoState.Device(p)}\" goto filter-cali-tw-{CalicoState.Device(p)}\n"))}}    counter drop comment "Unknown interface"
          }
          chain raw-PREROUTING {
            type filter hook prerouting priority raw; policy accept;
            meta mark set meta mark & 0xfff0ffff
            iifname "cali*" meta mark set meta mark | 0x00040000
            meta mark & 0x00040000 == 0x00040000 fib saddr . mark . iif oif 0 drop
          }
          chain filter-INPUT {
            type filter hook input priority filter; policy accept;
        {{input}}
          }
          chain filter-FORWARD {
            type filter hook forward priority filter; policy accept;
            meta mark set meta mark & 0xfff1ffff
            iifname "cali*" jump filter-cali-from-wl-dispatch
            oifname "cali*" jump filter-cali-to-wl-dispatch
            meta mark & 0x00010000 == 0x00010000 accept comment "Policy explicitly accepted packet."
          }
          chain nat-cali-nat-outgoing {
            {{family}} saddr @{{Of(pool)}}masq-ipam-pools {{family}} daddr != @{{Of(pool)}}all-ipam-pools masquerade fully-random
          }
          chain nat-POSTROUTING {
            type nat hook postrouting priority srcnat + 10; policy accept;
            jump nat-cali-nat-outgoing
        {{postrouting}}
          }
        }
        """;

    static string Of(Cidr pool) => pool.IsIPv4 ? "cali40" : "cali60";

    static string Address(Cidr pool) => pool.IsIPv4 ? "ipv4_addr" : "ipv6_addr";

    static string EndpointChains(LabHost pod) => Chain("fw", pod) + Chain("tw", pod);

    static string Chain(string direction, LabHost pod) => $$"""
          chain filter-cali-{{direction}}-{{CalicoState.Device(pod)}} {
            ct state established,related accept
            ct state invalid drop
            meta mark set meta mark & 0xfffeffff
            meta mark set meta mark | 0x00010000 comment "Profile kns.default"
            meta mark & 0x00010000 == 0x00010000 return
            counter drop comment "Drop if no profiles matched"
          }

        """;
}
