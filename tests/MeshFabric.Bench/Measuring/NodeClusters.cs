using MeshFabric.Lab.Cni;

namespace MeshFabric.Bench.Measuring;

/// <summary>Clusters whose nodes all have an agent, as benchmarks set them up.</summary>
static class NodeClusters
{
    /// <summary>Joins a cluster with an API server and kube-proxies of its own.</summary>
    public static async Task<CniApi> JoinAsync(NodeMesh mesh, string cluster, int gateways, BenchmarkContext context, CancellationToken cancellationToken)
    {
        context.Say($"{cluster}: API server, kube-proxy, agents");
        var api = await CniApi.StartAsync(mesh.Lab, cluster, cancellationToken);
        try
        {
            await api.StartProxiesAsync(knowsPodCidr: true, ProxyMode.Iptables, cancellationToken);
            await mesh.JoinAsync(cluster, api, gateways, cancellationToken);
            return api;
        }
        catch
        {
            await api.DisposeAsync();
            throw;
        }
    }
}
