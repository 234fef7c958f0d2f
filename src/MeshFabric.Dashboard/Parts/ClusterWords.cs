using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Dashboard.Parts;

/// <summary>A cluster's facts in words.</summary>
static class ClusterWords
{
    public static string Where(ClusterResource cluster) => Figures.Words(cluster.Spec.Provider, cluster.Spec.Region, cluster.Spec.Zone) is { Length: > 0 } where ? where : "not told";

    /// <summary>Who carries pods' packets; empty where it is not known.</summary>
    public static string DataPath(ClusterNetworking? networking) => networking is null ? "" : Figures.Words(networking.DataPath.Plugin, networking.DataPath.Encapsulation, networking.DataPath.Version);

    public static string PolicyEngine(ClusterNetworking? networking) => networking?.PolicyEngine.Name ?? "";

    public static string ServiceProxy(ClusterNetworking? networking) => networking is null ? "" : Figures.Words(networking.ServiceProxy.Name, networking.ServiceProxy.Mode);
}
