using k8s.Models;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Where a cluster runs, as most of its nodes say.</summary>
static class ClusterPlace
{
    static readonly string[] RegionLabels = ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];
    static readonly string[] ZoneLabels = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

    // For nodes whose cloud controller has not set spec.providerID.
    static readonly (string Label, string Provider)[] ProviderLabels =
    [
        ("eks.amazonaws.com/nodegroup", "aws"),
        ("cloud.google.com/gke-nodepool", "gce"),
        ("kubernetes.azure.com/cluster", "azure"),
        ("doks.digitalocean.com/node-pool", "digitalocean"),
        ("lke.linode.com/pool-id", "linode"),
        ("minikube.k8s.io/name", "minikube"),
    ];

    public static ClusterLocation Of(IReadOnlyList<V1Node> nodes)
    {
        var zones = nodes.Select(Zone).Distinct().ToList();
        // A zone is the cluster's only if it is every node's.
        return new ClusterLocation(Most(nodes.Select(Provider)), Most(nodes.Select(n => Label(n, RegionLabels))), zones is [var zone] ? zone : "");
    }

    public static string Zone(V1Node node) => Label(node, ZoneLabels);

    static string Provider(V1Node node)
    {
        if (node.Spec?.ProviderID is { } id && id.IndexOf("://", StringComparison.Ordinal) is > 0 and var end)
        {
            return id[..end];
        }

        return ProviderLabels.FirstOrDefault(p => node.Metadata?.Labels?.ContainsKey(p.Label) == true).Provider ?? "";
    }

    static string Label(V1Node node, string[] names)
    {
        foreach (var name in names)
        {
            if (node.Metadata?.Labels?.TryGetValue(name, out var value) == true && value.Length > 0)
            {
                return value;
            }
        }

        return "";
    }

    static string Most(IEnumerable<string> values) =>
        values.Where(v => v.Length > 0).GroupBy(v => v).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key ?? "";
}
