set -e
ip -batch - <<'END'
netns add g-a-n2
netns add g-a-n2-p1
netns add g-a-n2-p2
link add eth0 mtu 1450 netns g-a-n2-p1 type veth peer name cali6d7650531e6 mtu 1450 netns g-a-n2
link add eth0 mtu 1450 netns g-a-n2-p2 type veth peer name cali3cf7f1d0cda mtu 1450 netns g-a-n2
END
mkdir -p /var/lib/meshfabric-lab/g/hosts/a-n2/root/var/lib/calico
cat >/var/lib/meshfabric-lab/g/hosts/a-n2/root/var/lib/calico/nodename <<'END'
n2
END
mkdir -p /var/lib/meshfabric-lab/g/hosts/a-n2/root/etc/cni/net.d
cat >/var/lib/meshfabric-lab/g/hosts/a-n2/root/etc/cni/net.d/10-calico.conflist <<'END'
{
  "name": "k8s-pod-network",
  "cniVersion": "0.3.1",
  "plugins": [
    {
      "type": "calico",
      "datastore_type": "kubernetes",
      "nodename": "n2",
      "mtu": 1450,
      "ipam": {
        "type": "calico-ipam"
      },
      "policy": {
        "type": "k8s"
      }
    },
    {
      "type": "portmap",
      "snat": true,
      "capabilities": {
        "portMappings": true
      }
    }
  ]
}
END
ip netns exec g-a-n2 sh -e <<'SCRIPT'
echo '0' >/proc/sys/net/ipv6/conf/default/accept_dad
echo '0' >/proc/sys/net/ipv6/conf/all/accept_dad
echo '0' >/proc/sys/net/ipv6/conf/default/router_solicitations
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range
echo '1' >/proc/sys/net/ipv4/ip_forward
echo '1' >/proc/sys/net/ipv6/conf/all/forwarding
echo '0' >/proc/sys/net/ipv4/conf/all/rp_filter
echo '0' >/proc/sys/net/ipv4/conf/default/rp_filter
echo '1' >/proc/sys/net/ipv4/fib_multipath_hash_policy
echo '1' >/proc/sys/net/ipv6/fib_multipath_hash_policy
echo '1' >/proc/sys/net/ipv4/conf/all/rp_filter
echo '1' >/proc/sys/net/ipv4/conf/default/rp_filter
echo '1' >/proc/sys/net/bridge/bridge-nf-call-iptables
echo '1' >/proc/sys/net/ipv4/conf/cali6d7650531e6/proxy_arp
echo '1' >/proc/sys/net/ipv4/conf/cali6d7650531e6/rp_filter
echo '1' >/proc/sys/net/ipv4/conf/cali6d7650531e6/forwarding
echo '0' >/proc/sys/net/ipv4/neigh/cali6d7650531e6/proxy_delay
echo '1' >/proc/sys/net/ipv4/conf/cali3cf7f1d0cda/proxy_arp
echo '1' >/proc/sys/net/ipv4/conf/cali3cf7f1d0cda/rp_filter
echo '1' >/proc/sys/net/ipv4/conf/cali3cf7f1d0cda/forwarding
echo '0' >/proc/sys/net/ipv4/neigh/cali3cf7f1d0cda/proxy_delay
ip -batch - <<'END'
link set lo up
addr add 192.0.2.3/28 dev eth0
route add default via 192.0.2.1
link add vxlan.calico address 02:ca:11:00:03:02 mtu 1450 type vxlan id 4096 local 192.0.2.3 dev eth0 dstport 4789 nolearning
addr add 10.244.146.128/32 dev vxlan.calico
link set vxlan.calico up
neigh add 10.244.137.64 lladdr 02:ca:11:00:02:01 dev vxlan.calico nud permanent
neigh add 10.244.155.192 lladdr 02:ca:11:00:04:03 dev vxlan.calico nud permanent
route add blackhole 10.244.146.128/26 proto 80
route add 10.244.137.64/26 via 10.244.137.64 dev vxlan.calico onlink proto 80
route add 10.244.155.192/26 via 10.244.155.192 dev vxlan.calico onlink proto 80
route add 10.244.137.114 via 10.244.155.192 dev vxlan.calico onlink proto 80
link set cali6d7650531e6 up
link set cali6d7650531e6 address ee:ee:ee:ee:ee:ee
route add 10.244.146.130 dev cali6d7650531e6 scope link
link set cali3cf7f1d0cda up
link set cali3cf7f1d0cda address ee:ee:ee:ee:ee:ee
route add 10.244.146.131 dev cali3cf7f1d0cda scope link
END
bridge -batch - <<'END'
fdb append 02:ca:11:00:02:01 dev vxlan.calico dst 192.0.2.2 self permanent
fdb append 02:ca:11:00:04:03 dev vxlan.calico dst 192.0.2.4 self permanent
END
nft -f - <<'END'
table ip calico {
  set cali40masq-ipam-pools { type ipv4_addr; flags interval; elements = { 10.244.0.0/16 } }
  set cali40all-ipam-pools { type ipv4_addr; flags interval; elements = { 10.244.0.0/16 } }
  set cali40all-vxlan-net { type ipv4_addr; flags interval; elements = { 192.0.2.2, 192.0.2.4 } }
  chain filter-cali-fw-cali6d7650531e6 {
    ct state established,related accept
    ct state invalid drop
    meta mark set meta mark & 0xfffeffff
    meta mark set meta mark | 0x00010000 comment "Profile kns.default"
    meta mark & 0x00010000 == 0x00010000 return
    counter drop comment "Drop if no profiles matched"
  }
  chain filter-cali-tw-cali6d7650531e6 {
    ct state established,related accept
    ct state invalid drop
    meta mark set meta mark & 0xfffeffff
    meta mark set meta mark | 0x00010000 comment "Profile kns.default"
    meta mark & 0x00010000 == 0x00010000 return
    counter drop comment "Drop if no profiles matched"
  }
  chain filter-cali-fw-cali3cf7f1d0cda {
    ct state established,related accept
    ct state invalid drop
    meta mark set meta mark & 0xfffeffff
    meta mark set meta mark | 0x00010000 comment "Profile kns.default"
    meta mark & 0x00010000 == 0x00010000 return
    counter drop comment "Drop if no profiles matched"
  }
  chain filter-cali-tw-cali3cf7f1d0cda {
    ct state established,related accept
    ct state invalid drop
    meta mark set meta mark & 0xfffeffff
    meta mark set meta mark | 0x00010000 comment "Profile kns.default"
    meta mark & 0x00010000 == 0x00010000 return
    counter drop comment "Drop if no profiles matched"
  }

  chain filter-cali-from-wl-dispatch {
    iifname "cali6d7650531e6" goto filter-cali-fw-cali6d7650531e6
    iifname "cali3cf7f1d0cda" goto filter-cali-fw-cali3cf7f1d0cda
    counter drop comment "Unknown interface"
  }
  chain filter-cali-to-wl-dispatch {
    oifname "cali6d7650531e6" goto filter-cali-tw-cali6d7650531e6
    oifname "cali3cf7f1d0cda" goto filter-cali-tw-cali3cf7f1d0cda
    counter drop comment "Unknown interface"
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
END
SCRIPT
ip netns exec g-a-n2-p1 sh -e <<'SCRIPT'
echo '0' >/proc/sys/net/ipv6/conf/default/accept_dad
echo '0' >/proc/sys/net/ipv6/conf/all/accept_dad
echo '0' >/proc/sys/net/ipv6/conf/default/router_solicitations
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range
ip -batch - <<'END'
link set lo up
link set eth0 up
addr add 10.244.146.130/32 dev eth0
route add 169.254.1.1 dev eth0 scope link
route add default via 169.254.1.1 dev eth0
END
SCRIPT
ip netns exec g-a-n2-p2 sh -e <<'SCRIPT'
echo '0' >/proc/sys/net/ipv6/conf/default/accept_dad
echo '0' >/proc/sys/net/ipv6/conf/all/accept_dad
echo '0' >/proc/sys/net/ipv6/conf/default/router_solicitations
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range
ip -batch - <<'END'
link set lo up
link set eth0 up
addr add 10.244.146.131/32 dev eth0
route add 169.254.1.1 dev eth0 scope link
route add default via 169.254.1.1 dev eth0
END
SCRIPT
