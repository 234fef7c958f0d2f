using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Dashboard.Parts;

/// <summary>A cluster's facts in words.</summary>
static class ClusterWords
{
    public static string Where(ClusterResource cluster) => Words(cluster.Spec.Provider, cluster.Spec.Region, cluster.Spec.Zone) is { Length: > 0 } where ? where : "not told";

    public static string Prefix(MeshPrefix prefix) =>
        prefix.Services ? $"{prefix.Local} as {prefix.Mesh} (Services)" : prefix.IsRemapped ? $"{prefix.Local} as {prefix.Mesh}" : prefix.Alias is null ? $"{prefix.Local}" : $"{prefix.Local} (alias {prefix.Alias})";

    /// <summary>Who carries pods' packets; empty where it is not known.</summary>
    public static string DataPath(ClusterNetworking? networking) => networking is null ? "" : Words(networking.DataPath.Plugin, networking.DataPath.Encapsulation, networking.DataPath.Version);

    public static string PolicyEngine(ClusterNetworking? networking) => networking?.PolicyEngine.Name ?? "";

    public static string ServiceProxy(ClusterNetworking? networking) => networking is null ? "" : Words(networking.ServiceProxy.Name, networking.ServiceProxy.Mode);

    static string Words(params string[] words) => string.Join(' ', words.Where(w => w.Length > 0));
}
