using k8s;
using k8s.Models;

namespace MeshFabric.Cli.Installing;

/// <summary>Where the nodes of a distribution of Kubernetes keep the configuration of their CNI plug-in.</summary>
static class CniFolders
{
    const string OfK3s = "/var/lib/rancher/k3s/agent/etc/cni/net.d";
    const string OfMicroK8s = "/var/snap/microk8s/current/args/cni-network";

    public static async Task<string?> FindAsync(ClusterApi api, CancellationToken cancellationToken) =>
        Of((await api.AskAsync("list nodes", k => k.CoreV1.ListNodeAsync(cancellationToken: cancellationToken), cancellationToken)).Items);

    /// <summary>Null: the usual one.</summary>
    public static string? Of(IEnumerable<V1Node> nodes) => nodes.Select(Of).FirstOrDefault(folder => folder is not null);

    static string? Of(V1Node node) =>
        node.Status?.NodeInfo?.KubeletVersion?.Contains("+k3s", StringComparison.Ordinal) == true ? OfK3s
        : node.Metadata.Labels?.ContainsKey("microk8s.io/cluster") == true ? OfMicroK8s
        : null;
}
