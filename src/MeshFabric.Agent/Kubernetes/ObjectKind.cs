using k8s;
using k8s.Models;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>One kind of objects in the cluster's API, and how it is listed and watched.</summary>
/// <param name="Plural">For people: "watch nodes".</param>
/// <param name="Rule">The permission that it takes.</param>
/// <param name="List">One page, from where the last one ended.</param>
/// <param name="Watch">From a resource version on, bookmarks included.</param>
sealed record ObjectKind<T>(string Plural, RbacRule Rule, ListPage<T> List, WatchFrom<T> Watch) where T : IKubernetesObject<V1ObjectMeta>;

delegate Task<(IList<T> Items, V1ListMeta Metadata)> ListPage<T>(IKubernetes client, int limit, string? next, CancellationToken cancellationToken);

delegate IAsyncEnumerable<(WatchEventType Kind, T? Object)> WatchFrom<T>(IKubernetes client, string? version, int seconds, Action<Exception> onError, CancellationToken cancellationToken);

static class ObjectKinds
{
    public static readonly ObjectKind<V1Node> Nodes = new(
        "nodes",
        RbacRule.Nodes,
        async (client, limit, next, cancellationToken) =>
        {
            var page = await client.CoreV1.ListNodeAsync(limit: limit, continueParameter: next, cancellationToken: cancellationToken);
            return (page.Items, page.Metadata);
        },
        (client, version, seconds, onError, cancellationToken) =>
            client.CoreV1.WatchListNodeAsync(allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds: seconds, onError: onError, cancellationToken: cancellationToken)!);

    public static readonly ObjectKind<MeshGatewayObject> MeshGateways = Own<MeshGatewayObject>(MeshGatewayObject.Plural, "list, watch, create, update, delete");

    public static readonly ObjectKind<MeshNodeObject> MeshNodes = Own<MeshNodeObject>(MeshNodeObject.Plural, "list, watch, create, update");

    // Objects of our own group, for the whole cluster.
    static ObjectKind<T> Own<T>(string plural, string verbs) where T : IKubernetesObject<V1ObjectMeta> => new(
        plural,
        new RbacRule(MeshObjects.Group, plural, verbs),
        async (client, limit, next, cancellationToken) =>
        {
            using var page = await client.CustomObjects.ListClusterCustomObjectWithHttpMessagesAsync<MeshObjectList<T>>(
                MeshObjects.Group, MeshObjects.Version, plural, limit: limit, continueParameter: next, cancellationToken: cancellationToken);
            return (page.Body.Items, page.Body.Metadata);
        },
        (client, version, seconds, onError, cancellationToken) => Typed<T>(client.CustomObjects.WatchListClusterCustomObjectAsync(
            MeshObjects.Group, MeshObjects.Version, plural, allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds: seconds, onError: onError, cancellationToken: cancellationToken)));

    static async IAsyncEnumerable<(WatchEventType Kind, T? Object)> Typed<T>(IAsyncEnumerable<(WatchEventType Kind, object Object)> changes)
    {
        await foreach (var (kind, item) in changes)
        {
            yield return (kind, kind == WatchEventType.Error ? default : KubernetesJson.Deserialize<T>(KubernetesJson.Serialize(item)));
        }
    }
}
