using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>Felix with nftablesMode Enabled: one table, its source NAT after everybody else's (srcnat + 10).</summary>
static class CalicoNftables
{
    public static string Table(CniCluster cluster, CniNode node) => $$"""
        table ip calico {
          set cali40masq-ipam-pools { type ipv4_addr; flags interval; elements = { {{cluster.Network}} } }
          set cali40all-ipam-pools { type ipv4_addr; flags interval; elements = { {{cluster.Network}} } }
          set cali40all-vxlan-net { type ipv4_addr; flags interval; elements = { {{string.Join(", ", cluster.Nodes.Where(n => n != node || cluster.Nodes.Count == 1).Select(n => n.Address))}} } }
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
            udp dport 4789 ip saddr @cali40all-vxlan-net fib daddr type local accept
            udp dport 4789 fib daddr type local drop
          }
          chain filter-FORWARD {
            type filter hook forward priority filter; policy accept;
            meta mark set meta mark & 0xfff1ffff
            iifname "cali*" jump filter-cali-from-wl-dispatch
            oifname "cali*" jump filter-cali-to-wl-dispatch
            meta mark & 0x00010000 == 0x00010000 accept comment "Policy explicitly accepted packet."
          }
          chain nat-cali-nat-outgoing {
            ip saddr @cali40masq-ipam-pools ip daddr != @cali40all-ipam-pools masquerade fully-random
          }
          chain nat-POSTROUTING {
            type nat hook postrouting priority srcnat + 10; policy accept;
            jump nat-cali-nat-outgoing
            oifname "vxlan.calico" fib saddr . oif type != local fib saddr type local masquerade fully-random
          }
        }
        """;

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
