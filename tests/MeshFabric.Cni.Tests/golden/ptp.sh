set -e
ip -batch - <<'END'
netns add g-a-n2
netns add g-a-n2-p1
netns add g-a-n2-p2
END
mkdir -p /var/lib/meshfabric-lab/g/hosts/a-n2/root/etc/cni/net.d
cat >/var/lib/meshfabric-lab/g/hosts/a-n2/root/etc/cni/net.d/10-routed.conflist <<'END'
{
  "name": "routed",
  "cniVersion": "0.3.1",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": true,
      "ipam": {
        "type": "host-local",
        "ranges": [
          [
            {
              "subnet": "10.244.2.0/24"
            }
          ]
        ],
        "routes": [
          {
            "dst": "0.0.0.0/0"
          }
        ]
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
echo '{"type":"ptp","ipMasq":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.2.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]},"name":"routed","cniVersion":"0.3.1"}' | CNI_COMMAND=ADD CNI_CONTAINERID=a-n2-p1 CNI_NETNS=/run/netns/g-a-n2-p1 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/ptp >/dev/null
echo '{"type":"ptp","ipMasq":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.2.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]},"name":"routed","cniVersion":"0.3.1"}' | CNI_COMMAND=ADD CNI_CONTAINERID=a-n2-p2 CNI_NETNS=/run/netns/g-a-n2-p2 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/ptp >/dev/null
SCRIPT
