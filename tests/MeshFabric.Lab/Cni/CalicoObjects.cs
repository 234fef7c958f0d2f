using MeshFabric.Net;
using MeshFabric.TestKit.Kubernetes;
using static MeshFabric.Lab.Cni.CniObjects;

namespace MeshFabric.Lab.Cni;

/// <summary>Calico's objects, by the manifest (datastore: the Kubernetes API).</summary>
static class CalicoObjects
{
    const string Group = "crd.projectcalico.org";

    public static CniObjects Of(CniCluster cluster, string version, bool vxlan, bool nftables) => new()
    {
        DaemonSets = [DaemonSet("kube-system", "calico-node", ("k8s-app", "calico-node"), Container("calico-node", $"docker.io/calico/node:{version}", ("CLUSTER_TYPE", "k8s,bgp"), ("CALICO_NETWORKING_BACKEND", vxlan ? "vxlan" : "bird")))],
        ConfigMaps = [ConfigMap("kube-system", "calico-config", ("calico_backend", vxlan ? "vxlan" : "bird"), ("veth_mtu", "0"))],
        CustomObjects =
        [
            Pool("default-ipv4-ippool", cluster.Network, vxlan ? "Always" : "Never"),
            .. CalicoPlugin.Pool6(cluster.Topology) is { } six ? new[] { Pool("default-ipv6-ippool", six, "Never") } : [],
            new(Kind("felixconfigurations", "FelixConfiguration"), "default", new { bpfEnabled = false, nftablesMode = nftables ? "Enabled" : "Disabled" }),
            .. cluster.Nodes.SelectMany(n => new[] { CalicoPlugin.Block(cluster.Network, n.Number), CalicoPlugin.Block6(n) }.OfType<Cidr>().Select(b => Affinity(n.Host.ShortName, b))),
        ],
        Annotations = node => new()
        {
            ["projectcalico.org/IPv4Address"] = $"{node.Address}/{cluster.Topology.PublicLan.Length}",
            [vxlan ? "projectcalico.org/IPv4VXLANTunnelAddr" : "projectcalico.org/ASNumber"] = vxlan ? CalicoPlugin.Block(cluster.Network, node.Number).Address.ToString() : "64512",
        },
    };

    public static CustomObject Pool(string name, Cidr cidr, string vxlan) =>
        new(Kind("ippools", "IPPool"), name, new { cidr = cidr.ToString(), blockSize = cidr.IsIPv4 ? 26 : 122, ipipMode = "Never", vxlanMode = vxlan, natOutgoing = true, nodeSelector = "all()" });

    static CustomObject Affinity(string node, Cidr block) =>
        new(Kind("blockaffinities", "BlockAffinity"), $"{node}-{block.ToString().Replace("::", "--", StringComparison.Ordinal).Replace('.', '-').Replace(':', '-').Replace('/', '-')}", new { cidr = block.ToString(), deleted = "false", node, state = "confirmed" });

    static CustomKind Kind(string plural, string kind) => new(Group, "v1", plural, kind);
}
