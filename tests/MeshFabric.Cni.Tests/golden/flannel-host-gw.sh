set -e
ip -batch - <<'END'
netns add g-a-n2
netns add g-a-n2-p1
netns add g-a-n2-p2
END
mkdir -p /var/lib/meshfabric-lab/g/hosts/a-n2/root/run/flannel
cat >/var/lib/meshfabric-lab/g/hosts/a-n2/root/run/flannel/subnet.env <<'END'
FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.2.1/24
FLANNEL_MTU=1500
FLANNEL_IPMASQ=true
END
mkdir -p /var/lib/meshfabric-lab/g/hosts/a-n2/root/etc/cni/net.d
cat >/var/lib/meshfabric-lab/g/hosts/a-n2/root/etc/cni/net.d/10-flannel.conflist <<'END'
{
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [
    {
      "type": "flannel",
      "delegate": {
        "hairpinMode": true,
        "isDefaultGateway": true
      }
    },
    {
      "type": "portmap",
      "capabilities": {
        "portMappings": true
      }
    }
  ]
}
END
mkdir -p /var/lib/meshfabric-lab/g/hosts/a-n2/root/var/lib/cni/networks
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
ip -batch - <<'END'
link set lo up
addr add 192.0.2.3/28 dev eth0
route add default via 192.0.2.1
route add 10.244.1.0/24 via 192.0.2.2 dev eth0
route add 10.244.3.0/24 via 192.0.2.4 dev eth0
END
iptables-nft-restore --noflush <<'END'
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.2.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
*filter
:FLANNEL-FWD - [0:0]
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
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
END
SCRIPT
ip netns exec g-a-n2-p2 sh -e <<'SCRIPT'
echo '0' >/proc/sys/net/ipv6/conf/default/accept_dad
echo '0' >/proc/sys/net/ipv6/conf/all/accept_dad
echo '0' >/proc/sys/net/ipv6/conf/default/router_solicitations
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range
ip -batch - <<'END'
link set lo up
END
SCRIPT
/var/lib/meshfabric-lab/g/on a-n2 sh -e <<'SCRIPT'
echo '{"type":"bridge","isDefaultGateway":true,"hairpinMode":true,"ipMasq":false,"mtu":1500,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.2.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}]},"name":"cbr0","cniVersion":"0.3.1"}' | CNI_COMMAND=ADD CNI_CONTAINERID=a-n2-p1 CNI_NETNS=/run/netns/g-a-n2-p1 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/bridge >/dev/null
echo '{"type":"bridge","isDefaultGateway":true,"hairpinMode":true,"ipMasq":false,"mtu":1500,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.2.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}]},"name":"cbr0","cniVersion":"0.3.1"}' | CNI_COMMAND=ADD CNI_CONTAINERID=a-n2-p2 CNI_NETNS=/run/netns/g-a-n2-p2 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/bridge >/dev/null
SCRIPT
