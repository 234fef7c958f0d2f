using k8s;
using k8s.Models;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>Every object that an API server has, of whatever kind, by name.</summary>
static class ClusterObjects
{
    /// <summary>Written by the API server itself, whenever it likes.</summary>
    static readonly string[] Passing = ["events", "componentstatuses"];

    /// <summary>Once the controllers that have just been started have made what they make.</summary>
    public static async Task<IReadOnlyList<string>> SettledAsync(IKubernetes client, CancellationToken cancellationToken)
    {
        var (last, since) = (await AllAsync(client, cancellationToken), TimeProvider.System.GetTimestamp());
        await Until.TrueAsync(async () =>
        {
            var now = await AllAsync(client, cancellationToken);
            if (!now.SequenceEqual(last))
            {
                (last, since) = (now, TimeProvider.System.GetTimestamp());
            }

            return TimeProvider.System.GetElapsedTime(since) > TimeSpan.FromSeconds(2);
        }, TimeSpan.FromSeconds(60), "objects that stay as they are", cancellationToken);
        return last;
    }

    public static async Task<IReadOnlyList<string>> AllAsync(IKubernetes client, CancellationToken cancellationToken)
    {
        var groups = (await client.Apis.GetAPIVersionsAsync(cancellationToken)).Groups.Select(g => (Group: g.Name, g.PreferredVersion.Version)).Prepend((Group: "", Version: "v1"));
        var names = new List<string>();
        foreach (var (group, version) in groups)
        {
            var resources = group.Length == 0 ? await client.CoreV1.GetAPIResourcesAsync(cancellationToken) : await client.CustomObjects.GetAPIResourcesAsync(group, version, cancellationToken);
            foreach (var resource in resources.Resources.Where(r => r.Verbs.Contains("list") && !r.Name.Contains('/') && !Passing.Contains(r.Name)))
            {
                using var generic = new GenericClient(client, group, version, resource.Name, disposeClient: false);
                names.AddRange((await generic.ListAsync<AnyList>(cancel: cancellationToken)).Items.Select(i => $"{resource.Name}.{group} {i.Metadata.NamespaceProperty}/{i.Metadata.Name}"));
            }
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    sealed class AnyList : IKubernetesObject
    {
        public string ApiVersion { get; set; } = "";
        public string Kind { get; set; } = "";
        public List<Any> Items { get; set; } = [];
    }

    sealed class Any
    {
        public V1ObjectMeta Metadata { get; set; } = new();
    }
}
