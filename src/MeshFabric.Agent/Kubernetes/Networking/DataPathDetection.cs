using k8s.Models;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>Which plug-in carries a cluster's pods. Pure.</summary>
static class DataPathDetection
{
    static readonly DataPath NotSeen = new(CniPlugin.Unknown, "", "", "", "");

    /// <summary>The API's word and the nodes' become one: the nodes win, but the API may know the same thing by a closer name.</summary>
    public static DataPath Of(KubernetesSnapshot snapshot, IReadOnlyDictionary<string, NodeObservation> observations)
    {
        var api = FromApi(snapshot);
        var seen = OfNodes(observations);
        var source = $"CNI configuration of {(observations.Count == 1 ? "the node" : "the nodes")}";
        if (seen == CniPlugin.Unknown && api.Plugin == CniPlugin.Unknown)
        {
            return api with { Source = source };
        }

        if (seen is not { } plugin || Agree(api.Plugin, plugin))
        {
            return api.Encapsulation.Length > 0 ? api : api with { Encapsulation = EncapsulationOf(observations) };
        }

        // Plug-ins that have no DaemonSet, and Flannel with Calico's policies set up as two.
        var related = api.Plugin == CniPlugin.Flannel && plugin == CniPlugin.Canal;
        return related ? api with { Plugin = CniPlugin.Canal, Source = $"{api.Source}; {source}" } : new DataPath(plugin, EncapsulationOf(observations), "", "", source);
    }

    /// <summary>What most nodes show; null when none shows anything.</summary>
    public static string? OfNodes(IReadOnlyDictionary<string, NodeObservation> observations) => observations.Values
        .Select(NodeCni.PluginOf).OfType<string>()
        .GroupBy(p => p).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;

    /// <summary>True when a node that shows <paramref name="node"/> is what a cluster of <paramref name="api"/> looks like.</summary>
    public static bool Agree(string api, string node) => api == node || (api, node) switch
    {
        (CniPlugin.Canal, CniPlugin.Calico or CniPlugin.Flannel) => true,
        (CniPlugin.Kindnet or CniPlugin.Gke, CniPlugin.Ptp) => true,
        (CniPlugin.Gke, CniPlugin.Calico) => true,
        _ => false,
    };

    // In this order: Canal has the marks of Calico and of Flannel; Cilium and Calico may stand beside a cloud's own plug-in and replace it.
    public static DataPath FromApi(KubernetesSnapshot snapshot)
    {
        var cni = snapshot.Settings.Cni;
        var nodes = snapshot.Nodes;
        if ((cni.OfApp("canal") ?? cni.DaemonSets.FirstOrDefault(d => d.HasContainer("calico-node") && d.HasContainer("kube-flannel"))) is { } canal)
        {
            return Of(canal, CniPlugin.Canal, FlannelReading.Encapsulation(cni, nodes), "kube-flannel");
        }

        if (cni.OfApp("cilium") is { } cilium && !IsChained(cni))
        {
            return Of(cilium, CniPlugin.Cilium, CiliumEncapsulation(cni), "cilium-agent");
        }

        if (cni.OfApp("calico-node") is { } calico && CalicoReading.CarriesPods(calico, cni))
        {
            return Of(calico, CniPlugin.Calico, CalicoReading.Encapsulation(cni), "calico-node");
        }

        if (cni.OfApp("weave-net") is { } weave)
        {
            return Of(weave, CniPlugin.Weave, "", "weave");
        }

        if (cni.OfApp("aws-node") is { } aws)
        {
            return Of(aws, CniPlugin.AwsVpc, "none", "aws-node");
        }

        if (cni.OfApp("azure-cns") is { } azure)
        {
            return Of(azure, CniPlugin.Azure, "none", "cns-container");
        }

        if (nodes.Any(n => n.Metadata?.Labels?.ContainsKey("cloud.google.com/gke-nodepool") == true))
        {
            return new DataPath(CniPlugin.Gke, "none", "", "", "label cloud.google.com/gke-nodepool of the nodes");
        }

        if (cni.OfApp("kindnet") is { } kindnet)
        {
            return Of(kindnet, CniPlugin.Kindnet, "none", "kindnet-cni");
        }

        if (cni.OfApp("flannel") is { } flannel)
        {
            return Of(flannel, CniPlugin.Flannel, FlannelReading.Encapsulation(cni, nodes), "kube-flannel");
        }

        return nodes.Any(FlannelReading.IsAnnotated)
            ? new DataPath(CniPlugin.Flannel, FlannelReading.Encapsulation(cni, nodes), "", "", "Flannel's annotations of the nodes")
            : NotSeen;
    }

    static DataPath Of(V1DaemonSet set, string plugin, string encapsulation, string container) =>
        new(plugin, encapsulation, set.Version(container), set.Metadata.NamespaceProperty, set.Describe());

    static string EncapsulationOf(IReadOnlyDictionary<string, NodeObservation> observations) => observations.Values
        .Select(NodeCni.EncapsulationOf).Where(e => e.Length > 0)
        .GroupBy(e => e).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key ?? "";

    // Then it only filters what another plug-in carries.
    static bool IsChained(CniSettings cni) =>
        cni.ConfigMaps.TryGetValue("cilium-config", out var map) && map.GetValueOrDefault("cni-chaining-mode", "none") is not ("none" or "portmap" or "");

    static string CiliumEncapsulation(CniSettings cni)
    {
        if (!cni.ConfigMaps.TryGetValue("cilium-config", out var map))
        {
            return "";
        }

        // "tunnel" was split into two keys with Cilium 1.14.
        return map.GetValueOrDefault("enable-wireguard") == "true" ? "wireguard"
            : map.GetValueOrDefault("routing-mode") == "native" || map.GetValueOrDefault("tunnel") == "disabled" ? "none"
            : map.GetValueOrDefault("tunnel-protocol") ?? map.GetValueOrDefault("tunnel") ?? "vxlan";
    }
}
