using k8s;
using k8s.Models;
using MeshFabric.TestKit;

namespace MeshFabric.Lab.Cni;

/// <summary>Makes a plug-in's own kinds and their objects in an API.</summary>
static class CustomObjects
{
    public static async Task CreateAsync(IKubernetes client, IReadOnlyList<CustomObject> objects, CancellationToken cancellationToken)
    {
        await DefineAsync(client, [.. objects.DistinctBy(o => (o.Group, o.Plural))], cancellationToken);
        foreach (var item in objects)
        {
            var body = new { apiVersion = $"{item.Group}/{item.Version}", kind = item.Kind, metadata = new { name = item.Name }, spec = item.Spec };
            await client.CustomObjects.CreateClusterCustomObjectAsync(body, item.Group, item.Version, item.Plural, cancellationToken: cancellationToken);
        }
    }

    /// <summary>The kinds of these objects alone, and waits until the API serves them.</summary>
    public static async Task DefineAsync(IKubernetes client, IReadOnlyList<CustomObject> kinds, CancellationToken cancellationToken)
    {
        foreach (var kind in kinds)
        {
            await client.ApiextensionsV1.CreateCustomResourceDefinitionAsync(Definition(kind), cancellationToken: cancellationToken);
        }

        foreach (var kind in kinds)
        {
            await Until.TrueAsync(() => IsServedAsync(client, $"{kind.Plural}.{kind.Group}", cancellationToken), TimeSpan.FromSeconds(30), $"the API to serve {kind.Plural}", cancellationToken);
        }
    }

    static async Task<bool> IsServedAsync(IKubernetes client, string name, CancellationToken cancellationToken) =>
        (await client.ApiextensionsV1.ReadCustomResourceDefinitionAsync(name, cancellationToken: cancellationToken)).Status?.Conditions?.Any(c => c.Type == "Established" && c.Status == "True") == true;

    static V1CustomResourceDefinition Definition(CustomObject kind) => new()
    {
        Metadata = new V1ObjectMeta { Name = $"{kind.Plural}.{kind.Group}" },
        Spec = new V1CustomResourceDefinitionSpec
        {
            Group = kind.Group,
            Scope = "Cluster",
            Names = new V1CustomResourceDefinitionNames { Kind = kind.Kind, ListKind = kind.Kind + "List", Plural = kind.Plural, Singular = kind.Kind.ToLowerInvariant() },
            Versions = [new V1CustomResourceDefinitionVersion { Name = kind.Version, Served = true, Storage = true, Schema = new V1CustomResourceValidation { OpenAPIV3Schema = new V1JSONSchemaProps { Type = "object", XKubernetesPreserveUnknownFields = true } } }],
        },
    };
}
