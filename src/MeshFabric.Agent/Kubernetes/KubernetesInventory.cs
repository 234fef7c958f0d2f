using k8s.Models;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>A cluster's inventory and where its parts came from.</summary>
/// <param name="Warnings">What a person should look at; one sentence each.</param>
public sealed record KubernetesInventory(ClusterInventory Inventory, string PodCidrSource, string ServiceCidrSource, ValueList<string> Warnings)
{
    const string LabelPrefix = "meshfabric.io/";

    /// <summary>Pure: the same snapshot gives the same inventory, whatever order its parts were read in.</summary>
    public static KubernetesInventory From(KubernetesSnapshot snapshot) => From(snapshot, new Dictionary<string, NodeObservation>());

    /// <inheritdoc cref="From(KubernetesSnapshot)"/>
    /// <param name="observations">What agents saw on the nodes, by name; may lack any.</param>
    public static KubernetesInventory From(KubernetesSnapshot snapshot, IReadOnlyDictionary<string, NodeObservation> observations)
    {
        var nodes = snapshot.Nodes.OrderBy(n => n.Metadata.Name, StringComparer.Ordinal).ToList();
        var detected = NetworkingDetection.Of(snapshot, observations);
        var networking = detected.Networking;
        var inventory = new ClusterInventory(
            ClusterKind.Kubernetes,
            ClusterPlace.Of(nodes),
            Labels(nodes),
            detected.PodCidrs,
            detected.ServiceCidrs,
            snapshot.Settings.Version,
            nodes.Select(n => Node(n, NetworkingDetection.PodPrefixesOf(n, networking.DataPath.Plugin, snapshot, observations))).ToValueList())
        {
            Networking = networking,
        };
        return new KubernetesInventory(inventory, networking.PodCidrSource, networking.ServiceCidrSource, networking.Findings.Select(f => $"{f.Message} {f.Hint}".Trim()).ToValueList());
    }

    static NodeInventory Node(V1Node node, ValueList<Cidr> podPrefixes) => new(
        node.Metadata.Name,
        node.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true,
        (node.Status?.Addresses ?? []).Where(a => a.Type is "InternalIP" or "ExternalIP").Select(a => a.Address).Distinct().Order(StringComparer.Ordinal).ToValueList(),
        podPrefixes,
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
}
