using System.Text.Json;
using System.Text.Json.Serialization;
using static MeshFabric.Lab.Cni.CniObjects;

namespace MeshFabric.Lab.Cni;

/// <summary>Flannel's objects, by its manifest; Canal has the network's part too.</summary>
static class FlannelObjects
{
    static readonly JsonSerializerOptions WithoutNulls = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public static CniObjects Of(CniCluster cluster, string version, bool vxlan, bool nftables) => new()
    {
        DaemonSets = [DaemonSet("kube-flannel", "kube-flannel-ds", ("app", "flannel"), Container("kube-flannel", $"docker.io/flannel/flannel:{version}"))],
        ConfigMaps = [ConfigMap("kube-flannel", "kube-flannel-cfg", ("net-conf.json", NetConf(cluster, vxlan, nftables)))],
        Annotations = node => Annotations(node, vxlan),
    };

    public static string NetConf(CniCluster cluster, bool vxlan, bool nftables) =>
        JsonSerializer.Serialize(
            new { Network = cluster.Network.ToString(), EnableIPv6 = cluster.Topology.Spec.PodCidr6 is null ? (bool?)null : true, IPv6Network = cluster.Topology.Spec.PodCidr6, EnableNFTables = nftables, Backend = new { Type = vxlan ? "vxlan" : "host-gw" } },
            WithoutNulls);

    public static Dictionary<string, string> Annotations(CniNode node, bool vxlan) => new()
    {
        ["flannel.alpha.coreos.com/backend-type"] = vxlan ? "vxlan" : "host-gw",
        ["flannel.alpha.coreos.com/backend-data"] = vxlan ? JsonSerializer.Serialize(new { VNI = 1, VtepMAC = FlannelState.Mac(node) }) : "null",
        ["flannel.alpha.coreos.com/public-ip"] = node.Address.ToString(),
        ["flannel.alpha.coreos.com/kube-subnet-manager"] = "true",
    };
}
