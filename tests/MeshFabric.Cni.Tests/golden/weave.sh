set -e
ip -batch - <<'END'
netns add g-a-n2
netns add g-a-n2-p1
netns add g-a-n2-p2
link add eth0 mtu 1376 netns g-a-n2-p1 type veth peer name vethwepl1 mtu 1376 netns g-a-n2
link add eth0 mtu 1376 netns g-a-n2-p2 type veth peer name vethwepl2 mtu 1376 netns g-a-n2
END
mkdir -p /var/lib/meshfabric-lab/g/hosts/a-n2/root/etc/cni/net.d
cat >/var/lib/meshfabric-lab/g/hosts/a-n2/root/etc/cni/net.d/10-weave.conflist <<'END'
{
  "name": "weave",
  "cniVersion": "0.3.1",
  "plugins": [
    {
      "name": "weave",
      "type": "weave-net",
      "hairpinMode": true
    },
    {
      "type": "portmap",
      "capabilities": {
        "portMappings": true
      },
      "snat": true
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
ip -batch - <<'END'
link set lo up
addr add 192.0.2.3/28 dev eth0
route add default via 192.0.2.1
link add weave address 02:3e:a7:00:03:02 mtu 1376 type bridge
addr add 10.244.64.0/16 dev weave
link set weave up
link add vethwe-bridge mtu 1376 type vxlan id 6784 local 192.0.2.3 dev eth0 dstport 6784
link set vethwe-bridge master weave up
link set vethwepl1 up
link set vethwepl1 master weave
link set vethwepl2 up
link set vethwepl2 master weave
END
bridge -batch - <<'END'
fdb append 00:00:00:00:00:00 dev vethwe-bridge dst 192.0.2.2 self permanent
fdb append 00:00:00:00:00:00 dev vethwe-bridge dst 192.0.2.4 self permanent
link set dev vethwepl1 hairpin on
link set dev vethwepl2 hairpin on
END
ipset restore <<'END'
create weaver-no-masq-local hash:net
add weaver-no-masq-local 10.244.64.0/19
create weave-selected hash:ip
create weave-open-ingress hash:ip
add weave-open-ingress 10.244.32.1
add weave-open-ingress 10.244.32.2
add weave-open-ingress 10.244.64.1
add weave-open-ingress 10.244.64.2
add weave-open-ingress 10.244.96.1
add weave-open-ingress 10.244.96.2
create weave-open-egress hash:ip
add weave-open-egress 10.244.32.1
add weave-open-egress 10.244.32.2
add weave-open-egress 10.244.64.1
add weave-open-egress 10.244.64.2
add weave-open-egress 10.244.96.1
add weave-open-egress 10.244.96.2
create weave-all-pods hash:ip
add weave-all-pods 10.244.32.1
add weave-all-pods 10.244.32.2
add weave-all-pods 10.244.64.1
add weave-all-pods 10.244.64.2
add weave-all-pods 10.244.96.1
add weave-all-pods 10.244.96.2
END
iptables-nft-restore --noflush <<'END'
*nat
:WEAVE - [0:0]
-A POSTROUTING -j WEAVE
-A WEAVE -m set --match-set weaver-no-masq-local dst -m comment --comment "Prevent SNAT to locally running containers" -j RETURN
-A WEAVE -s 10.244.0.0/16 -d 224.0.0.0/4 -j RETURN
-A WEAVE ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE
-A WEAVE -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
COMMIT
*filter
:WEAVE-NPC - [0:0]
:WEAVE-NPC-DEFAULT - [0:0]
:WEAVE-NPC-INGRESS - [0:0]
:WEAVE-NPC-EGRESS - [0:0]
:WEAVE-NPC-EGRESS-ACCEPT - [0:0]
:WEAVE-NPC-EGRESS-CUSTOM - [0:0]
:WEAVE-NPC-EGRESS-DEFAULT - [0:0]
-A INPUT -i weave -j WEAVE-NPC-EGRESS
-A FORWARD -i weave -m comment --comment "NOTE: this must go before '-j KUBE-FORWARD'" -j WEAVE-NPC-EGRESS
-A FORWARD -o weave -m comment --comment "NOTE: this must go before '-j KUBE-FORWARD'" -j WEAVE-NPC
-A FORWARD -o weave -m state --state NEW -j NFLOG --nflog-group 86
-A FORWARD -o weave -j DROP
-A FORWARD -i weave ! -o weave -j ACCEPT
-A FORWARD -o weave -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A WEAVE-NPC -m state --state RELATED,ESTABLISHED -j ACCEPT
-A WEAVE-NPC -d 224.0.0.0/4 -j ACCEPT
-A WEAVE-NPC -m physdev --physdev-out vethwe-bridge --physdev-is-bridged -j ACCEPT
-A WEAVE-NPC -m state --state NEW -j WEAVE-NPC-DEFAULT
-A WEAVE-NPC -m state --state NEW -j WEAVE-NPC-INGRESS
-A WEAVE-NPC-DEFAULT -m set --match-set weave-open-ingress dst -m comment --comment "DefaultAllow ingress isolation for namespace: default" -j ACCEPT
-A WEAVE-NPC-EGRESS -m state --state RELATED,ESTABLISHED -j ACCEPT
-A WEAVE-NPC-EGRESS -m physdev --physdev-in vethwe-bridge --physdev-is-bridged -j RETURN
-A WEAVE-NPC-EGRESS -m addrtype --dst-type LOCAL -j RETURN
-A WEAVE-NPC-EGRESS -d 224.0.0.0/4 -j RETURN
-A WEAVE-NPC-EGRESS -m state --state NEW -j WEAVE-NPC-EGRESS-DEFAULT
-A WEAVE-NPC-EGRESS -m state --state NEW -m mark ! --mark 0x40000/0x40000 -j WEAVE-NPC-EGRESS-CUSTOM
-A WEAVE-NPC-EGRESS-ACCEPT -j MARK --set-xmark 0x40000/0x40000
-A WEAVE-NPC-EGRESS-DEFAULT -m set --match-set weave-open-egress src -m comment --comment "DefaultAllow egress isolation for namespace: default" -j WEAVE-NPC-EGRESS-ACCEPT
-A WEAVE-NPC-EGRESS-DEFAULT -m set --match-set weave-open-egress src -m comment --comment "DefaultAllow egress isolation for namespace: default" -j RETURN
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
addr add 10.244.64.1/16 dev eth0
route add default via 10.244.64.0
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
addr add 10.244.64.2/16 dev eth0
route add default via 10.244.64.0
END
SCRIPT
