using System.Net;
using k8s.Models;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>A cluster's inventory and where its parts came from.</summary>
/// <param name="Warnings">What a person should look at; one sentence each.</param>
public sealed record KubernetesInventory(ClusterInventory Inventory, string PodCidrSource, string ServiceCidrSource, ValueList<string> Warnings)
{
    const string LabelPrefix = "meshfabric.io/";

    /// <summary>Pure: the same snapshot gives the same inventory, whatever order its parts were read in.</summary>
    public static KubernetesInventory From(KubernetesSnapshot snapshot)
    {
        var nodes = snapshot.Nodes.OrderBy(n => n.Metadata.Name, StringComparer.Ordinal).ToList();
        var (pods, podSource) = ClusterCidrs.Pods(snapshot);
        var (services, serviceSource) = ClusterCidrs.Services(snapshot.Settings);
        var inventory = new ClusterInventory(
            ClusterKind.Kubernetes,
            ClusterPlace.Of(nodes),
            Labels(nodes),
            pods,
            services,
            snapshot.Settings.Version,
            nodes.Select(Node).ToValueList());
        return new KubernetesInventory(inventory, podSource, serviceSource, [.. snapshot.Settings.Warnings, .. Doubts(snapshot, pods, podSource)]);
    }

    static NodeInventory Node(V1Node node) => new(
        node.Metadata.Name,
        node.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true,
        (node.Status?.Addresses ?? []).Where(a => a.Type is "InternalIP" or "ExternalIP").Select(a => a.Address).Distinct().Order(StringComparer.Ordinal).ToValueList(),
        ClusterCidrs.OfNode(node),
        ClusterPlace.Zone(node),
        node.Status?.NodeInfo?.KubeletVersion ?? "");

    /// <summary>Labels below <c>meshfabric.io/</c> on which all nodes that have them agree: how a cluster's owner labels the cluster.</summary>
    static ValueList<Label> Labels(List<V1Node> nodes) =>
        nodes.SelectMany(n => n.Metadata.Labels ?? new Dictionary<string, string>())
            .Where(l => l.Key.StartsWith(LabelPrefix, StringComparison.Ordinal))
            .Distinct()
            .GroupBy(l => l.Key)
            .Where(g => g.Count() == 1)
            .Select(g => new Label(g.Key[LabelPrefix.Length..], g.First().Value))
            .OrderBy(l => l.Key, StringComparer.Ordinal)
            .ToValueList();

    static IEnumerable<string> Doubts(KubernetesSnapshot snapshot, ValueList<Cidr> pods, string source)
    {
        if (pods.Count == 0)
        {
            yield return "no pod CIDR was found: neither kubeadm-config, kube-controller-manager, kube-proxy nor the nodes name one; give it with --pod-cidr";
            yield break;
        }

        // The controller manager fills podCIDR even where the CNI plug-in takes its addresses from elsewhere.
        var stray = snapshot.Settings.SystemPods
            .Where(p => p.Spec?.HostNetwork != true && p.Status?.Phase == "Running" && IPAddress.TryParse(p.Status.PodIP, out var address) && !pods.Any(c => c.Contains(address)))
            .OrderBy(p => p.Metadata.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        if (stray is not null)
        {
            yield return $"pod kube-system/{stray.Metadata.Name} has the address {stray.Status.PodIP}, which is not in {string.Join(", ", pods)} (from {source}): the CNI plug-in uses other prefixes; give them with --pod-cidr";
        }
    }
}
