using k8s.Models;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>A cluster's pod CIDRs as its CNI plug-in itself says them. Pure.</summary>
static class CniCidrs
{
    const string WeaveDefault = "10.32.0.0/12";
    static readonly string[] CiliumPools = ["cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr"];

    /// <summary>What the plug-in in force tells on most nodes; empty when it tells none or no node was looked at.</summary>
    public static ValueList<Cidr> OnNodes(string plugin, IReadOnlyDictionary<string, NodeObservation> observations) => observations.Values
        .Where(o => NodeCni.PluginOf(o) is { } seen && DataPathDetection.Agree(plugin, seen))
        .Select(NodeCni.NetworkOf).Where(n => n.Count > 0)
        .GroupBy(n => n).OrderByDescending(g => g.Count()).ThenBy(g => g.Key.ToString(), StringComparer.Ordinal).FirstOrDefault()?.Key ?? [];

    /// <summary>What its objects in the API say; empty where it takes what Kubernetes gives.</summary>
    public static (ValueList<Cidr> Cidrs, string Source) InApi(string plugin, CniSettings cni) => plugin switch
    {
        CniPlugin.Flannel or CniPlugin.Canal => (FlannelReading.Networks(cni), plugin == CniPlugin.Canal ? "canal-config" : "kube-flannel-cfg"),
        CniPlugin.Calico => (CalicoReading.PoolCidrs(cni.Calico), "Calico's IPPools"),
        CniPlugin.Weave => (ClusterCidrs.Sorted(ClusterCidrs.ParseList(cni.OfApp("weave-net")?.Environment("IPALLOC_RANGE") ?? WeaveDefault)), "Weave Net's IPALLOC_RANGE"),
        CniPlugin.Kindnet => (ClusterCidrs.Sorted(ClusterCidrs.ParseList(cni.OfApp("kindnet")?.Environment("POD_SUBNET") ?? "")), "kindnet's POD_SUBNET"),
        CniPlugin.Cilium => (Cilium(cni), "cilium-config"),
        _ => ([], ""),
    };

    /// <summary>
    /// What each node's CNI configuration gives its own pods: for plug-ins that no controller tells the whole of. Where the files follow the
    /// nodes' podCIDRs, those of nodes that nobody looked at are added.
    /// </summary>
    public static ValueList<Cidr> PerNode(IReadOnlyList<V1Node> nodes, IReadOnlyDictionary<string, NodeObservation> observations)
    {
        var seen = observations.Where(o => NodeCni.PluginOf(o.Value) is CniPlugin.Bridge or CniPlugin.Ptp && o.Value.InForce is { Subnets.Count: > 0 }).ToDictionary(o => o.Key, o => o.Value.InForce!.Subnets);
        var given = nodes.ToDictionary(n => n.Metadata.Name, ClusterCidrs.OfNode);
        var follow = seen.All(s => given.TryGetValue(s.Key, out var cidrs) && cidrs.All(c => s.Value.Contains(c)));
        return seen.Count == 0 ? [] : ClusterCidrs.Cover([.. seen.Values.SelectMany(s => s), .. follow ? given.Values.SelectMany(g => g) : []]);
    }

    /// <summary>False where the nodes' podCIDRs, which the controller manager fills in any case, say nothing.</summary>
    public static bool UsesPodCidrs(string plugin, CniSettings cni) => plugin switch
    {
        CniPlugin.Weave or CniPlugin.Calico or CniPlugin.AwsVpc or CniPlugin.Azure => false,
        CniPlugin.Cilium => cni.ConfigMaps.TryGetValue("cilium-config", out var map) && map.GetValueOrDefault("ipam") == "kubernetes",
        _ => true,
    };

    static ValueList<Cidr> Cilium(CniSettings cni) =>
        cni.ConfigMaps.TryGetValue("cilium-config", out var map) && map.GetValueOrDefault("ipam", "cluster-pool") is "cluster-pool" or "cluster-pool-v2beta"
            ? ClusterCidrs.Sorted(CiliumPools.SelectMany(k => ClusterCidrs.ParseList(map.GetValueOrDefault(k, "").Replace(' ', ','))))
            : [];
}
