using k8s;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Lab.Cni;

/// <summary>Makes a plug-in's own kinds and their objects in an API.</summary>
static class CustomObjects
{
    public static async Task CreateAsync(IKubernetes client, IReadOnlyList<CustomObject> objects, CancellationToken cancellationToken)
    {
        await CustomKinds.DefineAsync(client, [.. objects.Select(o => o.Of).Distinct()], cancellationToken);
        foreach (var item in objects)
        {
            var (group, version, plural, kind) = item.Of;
            var body = new { apiVersion = $"{group}/{version}", kind, metadata = new { name = item.Name }, spec = item.Spec };
            await client.CustomObjects.CreateClusterCustomObjectAsync(body, group, version, plural, cancellationToken: cancellationToken);
        }
    }
}
