using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Kubelets;

/// <summary>The network of a cluster of kubelets: nodes and API server on a LAN that the internet routes; pod CIDRs are known to the cluster's own machines alone (host-gw).</summary>
static class KubeNetwork
{
    /// <summary>The network card of every machine.</summary>
    public const string Card = "eth0";

    public static void Build(NetworkScript script, LabTopology lab, ClusterTopology cluster)
    {
        var (name, inet) = (cluster.Spec.Name, lab["inet"]);
        var (lan, router) = (lab[$"{name}-lan"], $"k{cluster.Index}");
        script.Ip(lan, "link add lan type bridge");
        script.Ip(lan, "link set lan up");
        script.Cable(lan, "router", inet, router, lab.Spec.UnderlayMtu);
        script.Ip(lan, "link set router master lan");
        script.Address(inet, router, LabTopology.At(cluster.PublicLan, 1), cluster.PublicLan.Length);
        foreach (var host in lab.Hosts.Where(h => h.Cluster == name && h.Role is HostRole.Node or HostRole.Api && h.Cluster == name))
        {
            script.Cable(host, Card, lan, host.ShortName, lab.Spec.UnderlayMtu);
            script.Ip(lan, $"link set {host.ShortName} master lan");
            script.Forwards(host);
            // Strict, as distributions have it: an asymmetric path is seen at once.
            script.Sysctl(host, "net.ipv4.conf.all.rp_filter=1");
            script.Sysctl(host, "net.ipv4.conf.default.rp_filter=1");
            foreach (var command in Addresses(lab, cluster, host))
            {
                script.Ip(host, command);
            }
        }
    }

    /// <summary>Lines of <c>ip -batch</c> that give a machine its address and its routes; they can be repeated.</summary>
    public static IEnumerable<string> Addresses(LabTopology lab, ClusterTopology cluster, LabHost host)
    {
        yield return $"link set {Card} up";
        yield return $"addr replace {host.Address}/{cluster.PublicLan.Length} dev {Card}";
        yield return $"route replace default via {LabTopology.At(cluster.PublicLan, 1)}";
        for (var n = 1; n <= cluster.Spec.Kubelets; n++)
        {
            if (lab[$"{cluster.Spec.Name}-n{n}"] is var node && node != host)
            {
                yield return $"route replace {cluster.PodCidr(n)} via {node.Address}";
            }
        }
    }

    /// <summary>A shell script that takes all out of a machine's network that a reboot would.</summary>
    public const string Reset = $"""
        ip -o link | sed 's/^[0-9]*: //; s/[:@].*//' | while read -r link; do
          case $link in lo|{Card}) ;; *) ip link del "$link" 2>/dev/null || true;; esac
        done
        nft flush ruleset
        for family in -4 -6; do
          ip $family rule flush
          ip $family rule add pref 32766 table main
          for type in blackhole unreachable prohibit throw; do ip $family route flush table all type $type; done
          ip $family neigh flush all
        done
        ip rule add pref 32767 table default
        conntrack -F >/dev/null 2>&1 || true
        """;
}
