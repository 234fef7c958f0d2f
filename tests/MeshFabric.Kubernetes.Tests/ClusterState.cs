using System.Globalization;
using k8s;
using k8s.Models;
using MeshFabric.Lab;
using MeshFabric.Lab.Kubelets;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>What a join may leave behind: the objects in the cluster's API, what nodes and ConfigMaps say, and the network and files of its nodes. Sorted lines.</summary>
public sealed class ClusterState
{
    const string Files = """
        find /var/lib/meshfabric /run/wireguard 2>/dev/null | sed 's/^/file /'
        for p in /proc/[0-9]*/comm; do cat "$p" 2>/dev/null; done | grep -E '^(wireguard-go|meshfabric)' | sed 's/^/process /' || true
        """;

    readonly List<string> _lines = [];

    ClusterState()
    {
    }

    public static async Task<ClusterState> ReadAsync(MeshFabric.Lab.Lab lab, KubeCluster cluster, CancellationToken cancellationToken)
    {
        var state = new ClusterState();
        foreach (var node in cluster.Nodes.Where(n => n.IsOn))
        {
            var files = (await lab.ShellAsync(node.Name, Files, cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            state._lines.AddRange(files.Concat(await HostState.ReadAsync(lab, node.Name, cancellationToken)).Select(line => $"{node.Name} {line}"));
        }

        state._lines.AddRange(await ObjectsAsync(cluster.Client, cancellationToken));
        return state;
    }

    /// <summary>Lines that came (+) and went (-).</summary>
    public IReadOnlyList<string> Difference(ClusterState after) => HostState.Difference(_lines, after._lines);

    static async Task<IEnumerable<string>> ObjectsAsync(IKubernetes client, CancellationToken cancellationToken)
    {
        var nodes = (await client.CoreV1.ListNodeAsync(cancellationToken: cancellationToken)).Items;
        var maps = (await client.CoreV1.ListConfigMapForAllNamespacesAsync(cancellationToken: cancellationToken)).Items;
        return [.. Labels(nodes), .. Annotations(nodes), .. maps.SelectMany(Contents), .. await NamesAsync(client, cancellationToken)];
    }

    static IEnumerable<string> Labels(IEnumerable<V1Node> nodes) => nodes.SelectMany(n => n.Metadata.Labels.Select(l => string.Create(CultureInfo.InvariantCulture, $"node {n.Metadata.Name} {l.Key}={l.Value}")));

    static IEnumerable<string> Annotations(IEnumerable<V1Node> nodes) => nodes.SelectMany(n => (n.Metadata.Annotations ?? new Dictionary<string, string>()).Keys.Select(k => $"node {n.Metadata.Name} annotation {k}"));

    static IEnumerable<string> Contents(V1ConfigMap map) => (map.Data ?? new Dictionary<string, string>()).Select(d => $"ConfigMap {map.Metadata.NamespaceProperty}/{map.Metadata.Name} {d.Key}: {d.Value.ReplaceLineEndings(" ")}");

    // Every kind that an installation, or an agent, could make.
    static async Task<IEnumerable<string>> NamesAsync(IKubernetes client, CancellationToken cancellationToken) =>
    [
        .. Of((await client.ApiextensionsV1.ListCustomResourceDefinitionAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.RbacAuthorizationV1.ListClusterRoleAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.RbacAuthorizationV1.ListClusterRoleBindingAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.RbacAuthorizationV1.ListRoleForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.RbacAuthorizationV1.ListRoleBindingForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.CoreV1.ListNamespaceAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.CoreV1.ListServiceForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.CoreV1.ListServiceAccountForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.CoreV1.ListSecretForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.CoreV1.ListConfigMapForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.AppsV1.ListDaemonSetForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.AppsV1.ListControllerRevisionForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
        .. Of((await client.CoordinationV1.ListLeaseForAllNamespacesAsync(cancellationToken: cancellationToken)).Items),
    ];

    static IEnumerable<string> Of<T>(IList<T> items) where T : IMetadata<V1ObjectMeta> =>
        items.Select(i => $"{typeof(T).Name[2..]} {i.Metadata.NamespaceProperty}/{i.Metadata.Name}");
}
