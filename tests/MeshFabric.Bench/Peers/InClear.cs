using MeshFabric.Lab.Topology;

namespace MeshFabric.Bench.Peers;

/// <summary>No tunnel at all: the limit of the path.</summary>
public static class InClear
{
    public static Task<Lab.Lab> CreateAsync(string name, CancellationToken cancellationToken) => PeerLab.CreateAsync(
        name,
        async lab =>
        {
            foreach (var (gateway, far, pods) in TwoSites.Sides(lab.Topology))
            {
                var router = LabTopology.At(lab.Topology.Cluster(gateway.Cluster).WanOf(1), 1);
                await lab.ShellAsync(gateway.Name, $"nft delete table inet lab-cni; ip route add {pods} via {router}", cancellationToken);
                await lab.ShellAsync("inet", $"ip route add {pods} via {far.Address}", cancellationToken);
            }
        },
        cancellationToken);
}
