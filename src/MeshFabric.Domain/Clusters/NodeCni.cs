using MeshFabric.Net;

namespace MeshFabric.Domain.Clusters;

/// <summary>Which CNI plug-in a node uses, as the node itself shows it.</summary>
public static class NodeCni
{
    /// <summary>One of <see cref="CniPlugin"/>, <see cref="CniPlugin.Unknown"/> for a plug-in of another name; null when the node shows none.</summary>
    public static string? PluginOf(NodeObservation seen) => seen.InForce is { } config ? OfConfig(config, seen) : OfTraces(seen);

    /// <summary>Empty when it cannot be told.</summary>
    public static string EncapsulationOf(NodeObservation seen) => PluginOf(seen) switch
    {
        CniPlugin.Flannel or CniPlugin.Canal => HasLink(seen, "flannel.1") || HasLink(seen, "flannel-v6.1") ? "vxlan"
            : HasLink(seen, "flannel-wg") || HasLink(seen, "flannel-wg-v6") ? "wireguard"
            : seen.Flannel is not null ? "host-gw" : "",
        CniPlugin.Calico => HasLink(seen, "wireguard.cali") ? "wireguard"
            : HasLink(seen, "vxlan.calico") || HasLink(seen, "vxlan-v6.calico") ? "vxlan"
            : seen.Links.Any(l => l is { Name: "tunl0", Addresses.Count: > 0 }) ? "ipip" : "",
        CniPlugin.Weave => HasLink(seen, "vethwe-datapath") || HasLink(seen, "datapath") ? "fastdp" : HasLink(seen, "vethwe-pcap") ? "sleeve" : "",
        CniPlugin.Cilium => HasLink(seen, "cilium_vxlan") ? "vxlan" : HasLink(seen, "cilium_geneve") ? "geneve" : "",
        CniPlugin.Bridge or CniPlugin.Ptp or CniPlugin.Kindnet or CniPlugin.Gke or CniPlugin.AwsVpc or CniPlugin.Azure => "none",
        _ => "",
    };

    /// <summary>The pod CIDRs of the whole cluster, where the plug-in in force tells every node; else empty.</summary>
    public static ValueList<Cidr> NetworkOf(NodeObservation seen) => PluginOf(seen) switch
    {
        CniPlugin.Flannel or CniPlugin.Canal => seen.Flannel?.Networks ?? [],
        CniPlugin.Weave => seen.WeaveNetwork,
        _ => [],
    };

    static string OfConfig(CniConfig config, NodeObservation seen) => config.Plugins[0] switch
    {
        "flannel" => CniPlugin.Flannel,
        "calico" => config.Ipam != "calico-ipam" && (config.File.Contains("canal", StringComparison.Ordinal) || HasFlannel(seen)) ? CniPlugin.Canal : CniPlugin.Calico,
        "weave-net" => CniPlugin.Weave,
        "cilium-cni" => CniPlugin.Cilium,
        "aws-cni" => CniPlugin.AwsVpc,
        "azure-vnet" => CniPlugin.Azure,
        "bridge" => CniPlugin.Bridge,
        "ptp" => config.Name == "kindnet" || config.File.Contains("kindnet", StringComparison.Ordinal) ? CniPlugin.Kindnet
            : config.File.Contains("gke", StringComparison.Ordinal) ? CniPlugin.Gke : CniPlugin.Ptp,
        _ => CniPlugin.Unknown,
    };

    // The folder of configurations may not be visible to the agent: k3s keeps its own elsewhere.
    static string? OfTraces(NodeObservation seen) =>
        HasFlannel(seen) ? CniPlugin.Flannel
        : HasLink(seen, "cilium_host") ? CniPlugin.Cilium
        : HasLink(seen, "weave") ? CniPlugin.Weave
        : HasLink(seen, "vxlan.calico") || seen.CalicoBlocks.Count > 0 ? CniPlugin.Calico
        : null;

    static bool HasFlannel(NodeObservation seen) => seen.Flannel is not null || seen.Links.Any(l => l.Name.StartsWith("flannel", StringComparison.Ordinal));

    static bool HasLink(NodeObservation seen, string name) => seen.Links.Any(l => l.Name == name);
}
