using System.Text.RegularExpressions;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>Who makes a Service's address a pod's. Pure.</summary>
static partial class ProxyDetection
{
    public static ServiceProxy Of(ClusterSettings settings, IReadOnlyDictionary<string, NodeObservation> observations)
    {
        var cni = settings.Cni;
        if (cni.ConfigMaps.TryGetValue("cilium-config", out var cilium) && cilium.GetValueOrDefault("kube-proxy-replacement") is "true" or "strict")
        {
            return new ServiceProxy("cilium", "ebpf", [], "ConfigMap cilium-config");
        }

        if (CalicoReading.IsEbpf(cni.Calico))
        {
            return new ServiceProxy("calico", "ebpf", [], "FelixConfiguration default");
        }

        var seen = observations.Values.Select(o => o.ProxyMode).Where(m => m.Length > 0)
            .GroupBy(m => m).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;
        var source = cni.OfApp("kube-proxy")?.Describe() ?? (settings.ProxyConfig.Count > 0 ? "ConfigMap kube-system/kube-proxy"
            : settings.SystemPods.Any(p => ClusterCidrs.IsComponent(p, "kube-proxy")) ? "its pods" : null);
        if (source is not null || seen is not null)
        {
            return new ServiceProxy("kube-proxy", seen ?? Configured(settings), ClusterCidrs.OfProxy(settings), source ?? "its traces on the nodes");
        }

        return observations.Count > 0 ? new ServiceProxy("none", "", [], "no traces of one on the nodes") : new ServiceProxy("unknown", "", [], "");
    }

    static string Configured(ClusterSettings settings)
    {
        var flags = settings.Cni.DaemonSets.Where(d => d.IsApp("kube-proxy")).SelectMany(d => d.Spec?.Template?.Spec?.Containers ?? [])
            .Concat(settings.SystemPods.Where(p => ClusterCidrs.IsComponent(p, "kube-proxy")).SelectMany(p => p.Spec?.Containers ?? []))
            .Select(c => string.Join(' ', [.. c.Command ?? [], .. c.Args ?? []]));
        var mode = flags.Select(f => Flag().Match(f)).Concat(settings.ProxyConfig.Select(c => Setting().Match(c))).FirstOrDefault(m => m.Success && m.Groups["mode"].Length > 0)?.Groups["mode"].Value;
        // Without a choice kube-proxy takes iptables on Linux.
        return mode ?? "iptables";
    }

    [GeneratedRegex("""--proxy-mode(=|\s+)["']?(?<mode>[a-z]+)""")]
    private static partial Regex Flag();

    [GeneratedRegex("""^"?mode"?\s*:\s*["']?(?<mode>[a-z]*)""", RegexOptions.Multiline)]
    private static partial Regex Setting();
}
