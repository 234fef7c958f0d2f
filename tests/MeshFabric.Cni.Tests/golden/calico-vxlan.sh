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
ipset restore <<'END'
create cali40masq-ipam-pools hash:net
add cali40masq-ipam-pools 10.244.0.0/16
create cali40all-ipam-pools hash:net
add cali40all-ipam-pools 10.244.0.0/16
create cali40all-vxlan-net hash:net
add cali40all-vxlan-net 192.0.2.2
add cali40all-vxlan-net 192.0.2.4
END
iptables-nft-restore --noflush <<'END'
*raw
:cali-PREROUTING - [0:0]
-A PREROUTING -j cali-PREROUTING
-A cali-PREROUTING -j MARK --set-xmark 0x0/0xf0000
-A cali-PREROUTING -i cali+ -j MARK --set-xmark 0x40000/0x40000
-A cali-PREROUTING -m mark --mark 0x40000/0x40000 -m rpfilter --validmark --invert -j DROP
COMMIT
*filter
:cali-FORWARD - [0:0]
:cali-INPUT - [0:0]
:cali-wl-to-host - [0:0]
:cali-from-wl-dispatch - [0:0]
:cali-to-wl-dispatch - [0:0]
:cali-pro-kns.default - [0:0]
:cali-pri-kns.default - [0:0]
-A FORWARD -j cali-FORWARD
-A INPUT -j cali-INPUT
-A FORWARD -m comment --comment "Policy explicitly accepted packet." -m mark --mark 0x10000/0x10000 -j ACCEPT
-A cali-FORWARD -j MARK --set-xmark 0x0/0xe0000
-A cali-FORWARD -i cali+ -j cali-from-wl-dispatch
-A cali-FORWARD -o cali+ -j cali-to-wl-dispatch
-A cali-INPUT -p udp -m multiport --dports 4789 -m set --match-set cali40all-vxlan-net src -m addrtype --dst-type LOCAL -j ACCEPT
-A cali-INPUT -p udp -m multiport --dports 4789 -m addrtype --dst-type LOCAL -j DROP
-A cali-INPUT -i cali+ -g cali-wl-to-host
-A cali-wl-to-host -j cali-from-wl-dispatch
-A cali-wl-to-host -j ACCEPT
-A cali-pro-kns.default -j MARK --set-xmark 0x10000/0x10000
-A cali-pro-kns.default -m mark --mark 0x10000/0x10000 -j RETURN
-A cali-pri-kns.default -j MARK --set-xmark 0x10000/0x10000
-A cali-pri-kns.default -m mark --mark 0x10000/0x10000 -j RETURN
:cali-fw-cali6d7650531e6 - [0:0]
-A cali-fw-cali6d7650531e6 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-fw-cali6d7650531e6 -m conntrack --ctstate INVALID -j DROP
-A cali-fw-cali6d7650531e6 -j MARK --set-xmark 0x0/0x10000
-A cali-fw-cali6d7650531e6 -j cali-pro-kns.default
-A cali-fw-cali6d7650531e6 -m mark --mark 0x10000/0x10000 -j RETURN
-A cali-fw-cali6d7650531e6 -m comment --comment "Drop if no profiles matched" -j DROP
-A cali-from-wl-dispatch -i cali6d7650531e6 -g cali-fw-cali6d7650531e6
:cali-tw-cali6d7650531e6 - [0:0]
-A cali-tw-cali6d7650531e6 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-tw-cali6d7650531e6 -m conntrack --ctstate INVALID -j DROP
-A cali-tw-cali6d7650531e6 -j MARK --set-xmark 0x0/0x10000
-A cali-tw-cali6d7650531e6 -j cali-pri-kns.default
-A cali-tw-cali6d7650531e6 -m mark --mark 0x10000/0x10000 -j RETURN
-A cali-tw-cali6d7650531e6 -m comment --comment "Drop if no profiles matched" -j DROP
-A cali-to-wl-dispatch -o cali6d7650531e6 -g cali-tw-cali6d7650531e6
:cali-fw-cali3cf7f1d0cda - [0:0]
-A cali-fw-cali3cf7f1d0cda -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-fw-cali3cf7f1d0cda -m conntrack --ctstate INVALID -j DROP
-A cali-fw-cali3cf7f1d0cda -j MARK --set-xmark 0x0/0x10000
-A cali-fw-cali3cf7f1d0cda -j cali-pro-kns.default
-A cali-fw-cali3cf7f1d0cda -m mark --mark 0x10000/0x10000 -j RETURN
-A cali-fw-cali3cf7f1d0cda -m comment --comment "Drop if no profiles matched" -j DROP
-A cali-from-wl-dispatch -i cali3cf7f1d0cda -g cali-fw-cali3cf7f1d0cda
:cali-tw-cali3cf7f1d0cda - [0:0]
-A cali-tw-cali3cf7f1d0cda -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-tw-cali3cf7f1d0cda -m conntrack --ctstate INVALID -j DROP
-A cali-tw-cali3cf7f1d0cda -j MARK --set-xmark 0x0/0x10000
-A cali-tw-cali3cf7f1d0cda -j cali-pri-kns.default
-A cali-tw-cali3cf7f1d0cda -m mark --mark 0x10000/0x10000 -j RETURN
-A cali-tw-cali3cf7f1d0cda -m comment --comment "Drop if no profiles matched" -j DROP
-A cali-to-wl-dispatch -o cali3cf7f1d0cda -g cali-tw-cali3cf7f1d0cda
-A cali-from-wl-dispatch -m comment --comment "Unknown interface" -j DROP
-A cali-to-wl-dispatch -m comment --comment "Unknown interface" -j DROP
COMMIT
*nat
:cali-PREROUTING - [0:0]
:cali-OUTPUT - [0:0]
:cali-POSTROUTING - [0:0]
:cali-fip-dnat - [0:0]
:cali-fip-snat - [0:0]
:cali-nat-outgoing - [0:0]
-A PREROUTING -j cali-PREROUTING
-A OUTPUT -j cali-OUTPUT
-A POSTROUTING -j cali-POSTROUTING
-A cali-PREROUTING -j cali-fip-dnat
-A cali-OUTPUT -j cali-fip-dnat
-A cali-POSTROUTING -j cali-fip-snat
-A cali-POSTROUTING -j cali-nat-outgoing
-A cali-POSTROUTING -o vxlan.calico -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE --random-fully
-A cali-nat-outgoing -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j MASQUERADE --random-fully
COMMIT
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
