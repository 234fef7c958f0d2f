using MeshFabric.Lab;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Bench.Peers;

/// <summary>No tunnel at all: the limit of the path.</summary>
public static class InClear
{
    public static async Task<Lab.Lab> CreateAsync(string name, CancellationToken cancellationToken)
    {
        var lab = await Lab.Lab.CreateAsync(new LabSpec(name, TwoSites.Clusters), null, cancellationToken);
        foreach (var (gateway, far, pods) in TwoSites.Sides(lab.Topology))
        {
            var router = LabTopology.At(lab.Topology.Cluster(gateway.Cluster).WanOf(1), 1);
            await lab.ShellAsync(gateway.Name, $"nft delete table inet lab-cni; ip route add {pods} via {router}", cancellationToken);
            await lab.ShellAsync("inet", $"ip route add {pods} via {far.Address}", cancellationToken);
        }

        return lab;
    }
}
