using k8s.Models;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>What a cluster's networking is, and which addresses its pods and Services have.</summary>
public sealed record DetectedNetworking(ClusterNetworking Networking, ValueList<Cidr> PodCidrs, ValueList<Cidr> ServiceCidrs);

/// <summary>Makes three facts of what the API and the nodes show: who carries pods' packets, who enforces policies, who serves Services.</summary>
public static class NetworkingDetection
{
    /// <summary>Pure: the same snapshot and observations give the same answer, whatever order they were read in.</summary>
    /// <param name="observations">By node name; may be empty or lack nodes.</param>
    public static DetectedNetworking Of(KubernetesSnapshot snapshot, IReadOnlyDictionary<string, NodeObservation> observations)
    {
        var path = DataPathDetection.Of(snapshot, observations);
        var (pods, podSource) = ClusterCidrs.Pods(snapshot, path.Plugin, observations);
        var (services, serviceSource) = ClusterCidrs.Services(snapshot);
        var proxy = ProxyDetection.Of(snapshot.Settings, observations);
        var findings = NetworkingDoubts.Of(snapshot, observations, path, proxy, pods, podSource)
            .Select(f => f with { Subject = Clean(f.Subject), Message = Clean(f.Message), Hint = Clean(f.Hint) })
            .Distinct()
            .OrderBy(f => f.Subject, StringComparer.Ordinal).ThenBy(f => f.Code, StringComparer.Ordinal).ThenBy(f => f.Message, StringComparer.Ordinal)
            .Take(ClusterNetworking.MaxFindings);
        return new DetectedNetworking(
            new ClusterNetworking(path, PolicyDetection.Of(snapshot.Settings.Cni, path, observations), proxy, podSource, serviceSource, findings.ToValueList()),
            pods,
            services);
    }

    /// <summary>Where the pods of one node get their addresses: what it shows itself, else the API.</summary>
    public static ValueList<Cidr> PodPrefixesOf(V1Node node, string plugin, KubernetesSnapshot snapshot, IReadOnlyDictionary<string, NodeObservation> observations)
    {
        var prefixes = AllPodPrefixesOf(node, plugin, snapshot, observations);
        // A ring or a pool in many small pieces: not worth a refusal. A leaf with as many has no pods of its own then, and they go by the gateways.
        return prefixes.Count <= NodeInventory.MaxPodCidrs ? prefixes : [];
    }

    static ValueList<Cidr> AllPodPrefixesOf(V1Node node, string plugin, KubernetesSnapshot snapshot, IReadOnlyDictionary<string, NodeObservation> observations) =>
        observations.TryGetValue(node.Metadata.Name, out var seen) && NodeCni.PluginOf(seen) is not null
            ? NodeAddressing.Of(seen, ClusterCidrs.OfNode(node), []).PodPrefixes
            : plugin == CniPlugin.Calico ? CalicoReading.BlocksOf(snapshot.Settings.Cni.Calico, node.Metadata.Name)
            : CniCidrs.UsesPodCidrs(plugin, snapshot.Settings.Cni) ? ClusterCidrs.OfNode(node) : [];

    // Texts of files and of other programs are in them.
    static string Clean(string text)
    {
        var plain = text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)) : text;
        return plain.Length <= ClusterNetworking.MaxText ? plain : plain[..ClusterNetworking.MaxText];
    }
}
