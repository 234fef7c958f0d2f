using System.Net;
using System.Security.Cryptography;
using System.Text;
using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

/// <summary>What Felix and calico-cni leave on a node: pods' links, sets and the iptables rules of all workloads. Canal has the same with other pools.</summary>
static class CalicoState
{
    /// <summary>The device of a pod on its node: cali and eleven hexadecimal digits.</summary>
    public static string Device(LabHost pod) =>
        "cali" + Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(pod.Name)))[..11];

    /// <summary>A routed pair per pod: the node answers for 169.254.1.1 and has one /32 route to it.</summary>
    public static void Pods(NetworkScript script, CniNode node, int mtu)
    {
        foreach (var pod in node.Pods)
        {
            var device = Device(pod);
            script.Cable(pod, "eth0", node.Host, device, mtu);
            script.Ip(node.Host, $"link set {device} address ee:ee:ee:ee:ee:ee");
            foreach (var setting in new[] { "conf/DEV/proxy_arp=1", "conf/DEV/rp_filter=1", "conf/DEV/forwarding=1", "neigh/DEV/proxy_delay=0" })
            {
                script.Sysctl(node.Host, $"net.ipv4.{setting.Replace("DEV", device, StringComparison.Ordinal)}");
            }

            script.Ip(node.Host, $"route add {pod.Address} dev {device} scope link");
            script.Address(pod, "eth0", pod.Address!, 32);
            script.Ip(pod, "route add 169.254.1.1 dev eth0 scope link");
            script.Ip(pod, "route add default via 169.254.1.1 dev eth0");
            if (pod.Address6 is not null)
            {
                Pod6(script, node, pod);
            }
        }
    }

    /// <summary>The way out is the link-local address of the hardware address that all of the node's ends have.</summary>
    static void Pod6(NetworkScript script, CniNode node, LabHost pod)
    {
        const string gateway = "fe80::ecee:eeff:feee:eeee";
        var device = Device(pod);
        script.Address(node.Host, device, gateway, 64);
        script.Ip(node.Host, $"route add {pod.Address6} dev {device}");
        script.Address(pod, "eth0", pod.Address6!, 128);
        script.Ip(pod, $"route add default via {gateway} dev eth0");
    }

    /// <summary>Of one family.</summary>
    /// <param name="vxlan">The plug-in has a VXLAN port to guard.</param>
    public static void Sets(NetworkScript script, CniCluster cluster, CniNode node, Cidr pool, bool vxlan)
    {
        var (of, family) = pool.IsIPv4 ? ("cali40", "") : ("cali60", " family inet6");
        script.IpSet(node.Host, string.Join('\n', new[] { "masq", "all" }.Select(kind => $"create {of}{kind}-ipam-pools hash:net{family}\nadd {of}{kind}-ipam-pools {pool}")));
        if (vxlan)
        {
            script.IpSet(node.Host, "create cali40all-vxlan-net hash:net" + string.Concat(cluster.Others(node).Select(o => $"\nadd cali40all-vxlan-net {o.Address}")));
        }
    }

    /// <param name="tunnel">The encapsulating device; null for none.</param>
    /// <param name="inserts">True: the jumps stand before all others (Felix up to 3.28); false: after them (from 3.29).</param>
    /// <param name="sets">What its sets' names begin with: cali40, or cali60 for IPv6.</param>
    public static string NatRules(string? tunnel, bool inserts, string sets = "cali40")
    {
        var verb = inserts ? "-I" : "-A";
        var tunnelRule = tunnel is null ? "" : $"\n-A cali-POSTROUTING -o {tunnel} -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE --random-fully";
        return $"""
            *nat
            :cali-PREROUTING - [0:0]
            :cali-OUTPUT - [0:0]
            :cali-POSTROUTING - [0:0]
            :cali-fip-dnat - [0:0]
            :cali-fip-snat - [0:0]
            :cali-nat-outgoing - [0:0]
            {verb} PREROUTING -j cali-PREROUTING
            {verb} OUTPUT -j cali-OUTPUT
            {verb} POSTROUTING -j cali-POSTROUTING
            -A cali-PREROUTING -j cali-fip-dnat
            -A cali-OUTPUT -j cali-fip-dnat
            -A cali-POSTROUTING -j cali-fip-snat
            -A cali-POSTROUTING -j cali-nat-outgoing{tunnelRule}
            -A cali-nat-outgoing -m set --match-set {sets}masq-ipam-pools src -m set ! --match-set {sets}all-ipam-pools dst -j MASQUERADE --random-fully
            COMMIT
            """;
    }

    /// <summary>Marks: 0x10000 accepted, 0x40000 from a workload. A device whose name begins with "cali" and that is no workload's is cut off.</summary>
    public static string FilterRules(IReadOnlyList<LabHost> pods, bool vxlan, bool inserts)
    {
        var verb = inserts ? "-I" : "-A";
        var rules = new StringBuilder($"""
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
            {verb} FORWARD -j cali-FORWARD
            {verb} INPUT -j cali-INPUT
            -A FORWARD -m comment --comment "Policy explicitly accepted packet." -m mark --mark 0x10000/0x10000 -j ACCEPT
            -A cali-FORWARD -j MARK --set-xmark 0x0/0xe0000
            -A cali-FORWARD -i cali+ -j cali-from-wl-dispatch
            -A cali-FORWARD -o cali+ -j cali-to-wl-dispatch

            """);
        if (vxlan)
        {
            rules.Append("""
                -A cali-INPUT -p udp -m multiport --dports 4789 -m set --match-set cali40all-vxlan-net src -m addrtype --dst-type LOCAL -j ACCEPT
                -A cali-INPUT -p udp -m multiport --dports 4789 -m addrtype --dst-type LOCAL -j DROP

                """);
        }

        rules.Append("""
            -A cali-INPUT -i cali+ -g cali-wl-to-host
            -A cali-wl-to-host -j cali-from-wl-dispatch
            -A cali-wl-to-host -j ACCEPT
            -A cali-pro-kns.default -j MARK --set-xmark 0x10000/0x10000
            -A cali-pro-kns.default -m mark --mark 0x10000/0x10000 -j RETURN
            -A cali-pri-kns.default -j MARK --set-xmark 0x10000/0x10000
            -A cali-pri-kns.default -m mark --mark 0x10000/0x10000 -j RETURN

            """);
        foreach (var device in pods.Select(Device))
        {
            rules.Append(EndpointRules("fw", "pro", "from", "-i", device)).Append(EndpointRules("tw", "pri", "to", "-o", device));
        }

        return rules.Append("""
            -A cali-from-wl-dispatch -m comment --comment "Unknown interface" -j DROP
            -A cali-to-wl-dispatch -m comment --comment "Unknown interface" -j DROP
            COMMIT
            """).ToString();
    }

    // A flow that is known passes; a new one passes when the namespace's profile takes it.
    static string EndpointRules(string chain, string profile, string direction, string side, string device) => $"""
        :cali-{chain}-{device} - [0:0]
        -A cali-{chain}-{device} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A cali-{chain}-{device} -m conntrack --ctstate INVALID -j DROP
        -A cali-{chain}-{device} -j MARK --set-xmark 0x0/0x10000
        -A cali-{chain}-{device} -j cali-{profile}-kns.default
        -A cali-{chain}-{device} -m mark --mark 0x10000/0x10000 -j RETURN
        -A cali-{chain}-{device} -m comment --comment "Drop if no profiles matched" -j DROP
        -A cali-{direction}-wl-dispatch {side} {device} -g cali-{chain}-{device}

        """;
}
