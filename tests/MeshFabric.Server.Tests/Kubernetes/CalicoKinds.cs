using System.Text.Json;
using k8s;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>Calico's kinds in an API, without Calico.</summary>
static class CalicoKinds
{
    public const string Group = "crd.projectcalico.org";
    public const string Version = "v1";

    static readonly CustomKind Pools = new(Group, Version, "ippools", "IPPool");
    static readonly CustomKind[] All = [Pools, new(Group, Version, "blockaffinities", "BlockAffinity"), new(Group, Version, "felixconfigurations", "FelixConfiguration")];

    public static Task DefineAsync(IKubernetes admin, CancellationToken cancellationToken) => CustomKinds.DefineAsync(admin, All, cancellationToken);

    public static Task UndefineAsync(IKubernetes admin, CancellationToken cancellationToken) => CustomKinds.UndefineAsync(admin, All, cancellationToken);

    public static Task CreatePoolAsync(IKubernetes admin, string name, string cidr, CancellationToken cancellationToken) =>
        admin.CustomObjects.CreateClusterCustomObjectAsync(new { apiVersion = $"{Group}/{Version}", kind = Pools.Kind, metadata = new { name }, spec = new { cidr, blockSize = 26, natOutgoing = true } }, Group, Version, Pools.Plural, cancellationToken: cancellationToken);

    /// <summary>By name, what each says.</summary>
    public static async Task<SortedDictionary<string, JsonElement>> PoolsAsync(IKubernetes admin, CancellationToken cancellationToken)
    {
        var list = (JsonElement)await admin.CustomObjects.ListClusterCustomObjectAsync(Group, Version, Pools.Plural, cancellationToken: cancellationToken);
        return new(list.GetProperty("items").EnumerateArray().ToDictionary(p => p.GetProperty("metadata").GetProperty("name").GetString()!, p => p.GetProperty("spec")), StringComparer.Ordinal);
    }
}
