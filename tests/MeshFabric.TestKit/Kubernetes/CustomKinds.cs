using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>A kind of the whole cluster that an API does not have by itself.</summary>
public sealed record CustomKind(string Group, string Version, string Plural, string Kind)
{
    public string Name => $"{Plural}.{Group}";
}

/// <summary>Teaches an API kinds whose objects may say anything.</summary>
public static class CustomKinds
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>And waits until they are served, a moment after they were accepted.</summary>
    public static async Task DefineAsync(IKubernetes client, IReadOnlyList<CustomKind> kinds, CancellationToken cancellationToken)
    {
        foreach (var kind in kinds)
        {
            await client.ApiextensionsV1.CreateCustomResourceDefinitionAsync(Definition(kind), cancellationToken: cancellationToken);
        }

        foreach (var kind in kinds)
        {
            await Until.TrueAsync(() => IsServedAsync(client, kind, cancellationToken), Limit, $"the API to serve {kind.Name}", cancellationToken);
        }
    }

    /// <summary>With all objects.</summary>
    public static async Task UndefineAsync(IKubernetes client, IReadOnlyList<CustomKind> kinds, CancellationToken cancellationToken)
    {
        using var definitions = new GenericClient(client, "apiextensions.k8s.io", "v1", "customresourcedefinitions", disposeClient: false);
        foreach (var kind in kinds)
        {
            await definitions.DeleteAsync<V1Status>(kind.Name, cancellationToken);
        }

        foreach (var kind in kinds)
        {
            await Until.TrueAsync(async () => !await IsServedAsync(client, kind, cancellationToken), Limit, $"{kind.Name} to go", cancellationToken);
        }
    }

    static async Task<bool> IsServedAsync(IKubernetes client, CustomKind kind, CancellationToken cancellationToken)
    {
        try
        {
            await client.CustomObjects.ListClusterCustomObjectAsync(kind.Group, kind.Version, kind.Plural, cancellationToken: cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    static V1CustomResourceDefinition Definition(CustomKind kind) => new()
    {
        Metadata = new V1ObjectMeta { Name = kind.Name },
        Spec = new V1CustomResourceDefinitionSpec
        {
            Group = kind.Group,
            Scope = "Cluster",
            Names = new V1CustomResourceDefinitionNames { Kind = kind.Kind, ListKind = kind.Kind + "List", Plural = kind.Plural, Singular = kind.Kind.ToLowerInvariant() },
            Versions = [new V1CustomResourceDefinitionVersion { Name = kind.Version, Served = true, Storage = true, Schema = new V1CustomResourceValidation { OpenAPIV3Schema = new V1JSONSchemaProps { Type = "object", XKubernetesPreserveUnknownFields = true } } }],
        },
    };
}
