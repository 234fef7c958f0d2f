using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>Calico's kinds in an API, without Calico.</summary>
static class CalicoKinds
{
    public const string Group = "crd.projectcalico.org";
    public const string Version = "v1";

    static readonly (string Plural, string Kind)[] Kinds = [("ippools", "IPPool"), ("blockaffinities", "BlockAffinity"), ("felixconfigurations", "FelixConfiguration")];

    /// <summary>And waits until they are served, a moment after they were accepted.</summary>
    public static async Task DefineAsync(IKubernetes admin, CancellationToken cancellationToken)
    {
        foreach (var (plural, kind) in Kinds)
        {
            await admin.ApiextensionsV1.CreateCustomResourceDefinitionAsync(Definition(plural, kind), cancellationToken: cancellationToken);
        }

        foreach (var (plural, _) in Kinds)
        {
            await Until.TrueAsync(() => IsServedAsync(admin, plural, cancellationToken), TimeSpan.FromSeconds(60), $"the API to serve {plural}", cancellationToken);
        }
    }

    /// <summary>With all objects.</summary>
    public static async Task UndefineAsync(IKubernetes admin, CancellationToken cancellationToken)
    {
        foreach (var (plural, _) in Kinds)
        {
            using var definitions = new GenericClient(admin, "apiextensions.k8s.io", "v1", "customresourcedefinitions", disposeClient: false);
            await definitions.DeleteAsync<V1Status>($"{plural}.{Group}", cancellationToken);
        }

        foreach (var (plural, _) in Kinds)
        {
            await Until.TrueAsync(async () => !await IsServedAsync(admin, plural, cancellationToken), TimeSpan.FromSeconds(60), $"{plural} to go", cancellationToken);
        }
    }

    public static Task CreatePoolAsync(IKubernetes admin, string name, string cidr, CancellationToken cancellationToken) =>
        admin.CustomObjects.CreateClusterCustomObjectAsync(new { apiVersion = $"{Group}/{Version}", kind = "IPPool", metadata = new { name }, spec = new { cidr, blockSize = 26, natOutgoing = true } }, Group, Version, "ippools", cancellationToken: cancellationToken);

    /// <summary>By name, what each says.</summary>
    public static async Task<SortedDictionary<string, JsonElement>> PoolsAsync(IKubernetes admin, CancellationToken cancellationToken)
    {
        var list = (JsonElement)await admin.CustomObjects.ListClusterCustomObjectAsync(Group, Version, "ippools", cancellationToken: cancellationToken);
        return new(list.GetProperty("items").EnumerateArray().ToDictionary(p => p.GetProperty("metadata").GetProperty("name").GetString()!, p => p.GetProperty("spec")), StringComparer.Ordinal);
    }

    static async Task<bool> IsServedAsync(IKubernetes admin, string plural, CancellationToken cancellationToken)
    {
        try
        {
            await admin.CustomObjects.ListClusterCustomObjectAsync(Group, Version, plural, cancellationToken: cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    static V1CustomResourceDefinition Definition(string plural, string kind) => new()
    {
        Metadata = new() { Name = $"{plural}.{Group}" },
        Spec = new V1CustomResourceDefinitionSpec
        {
            Group = Group,
            Scope = "Cluster",
            Names = new V1CustomResourceDefinitionNames { Plural = plural, Singular = kind.ToLowerInvariant(), Kind = kind },
            Versions =
            [
                new V1CustomResourceDefinitionVersion
                {
                    Name = Version,
                    Served = true,
                    Storage = true,
                    Schema = new V1CustomResourceValidation { OpenAPIV3Schema = new V1JSONSchemaProps { Type = "object", XKubernetesPreserveUnknownFields = true } },
                },
            ],
        },
    };
}
