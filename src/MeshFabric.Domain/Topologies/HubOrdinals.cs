using MeshFabric.Domain.Clusters;

namespace MeshFabric.Domain.Topologies;

/// <summary>Numbers the gateways of a hub group, so that no two of them share a plane. Leaves hand nothing on, and are left out. Pure.</summary>
/// <remarks>Each of them can carry the same far prefixes, and a WireGuard device sends a prefix to one peer only: they must be peers of different devices, as the gateways of one cluster are.</remarks>
public static class HubOrdinals
{
    /// <summary>Those of a group that hand on: of two with the same number only the first one by cluster. There are none where the control service has done its work.</summary>
    public static IEnumerable<(ClusterFacts Cluster, GatewayFacts Gateway)> Carrying(IEnumerable<ClusterFacts> group) =>
        group.SelectMany(c => c.EdgeGateways, (c, g) => (Cluster: c, Gateway: g)).GroupBy(g => g.Gateway.Ordinal).Select(same => same.First());

    /// <summary>By id, the gateways that must have another number, and which.</summary>
    /// <param name="before">Ids of those that hubs had already: they keep their numbers, for they carry.</param>
    /// <param name="excess">Regions, or nothing, of groups that have more than <see cref="GatewayFacts.MaxPerCluster"/> gateways: there are not enough numbers.</param>
    public static IReadOnlyDictionary<string, int> Changes(MeshGraph graph, IReadOnlySet<string> before, out IReadOnlyList<IReadOnlyList<ClusterFacts>> excess)
    {
        var changes = new Dictionary<string, int>(StringComparer.Ordinal);
        var groups = graph.HubGroups.Where(g => g.Count > 1).ToList();
        excess = groups.FindAll(g => g.Sum(c => c.EdgeGateways.Count()) > GatewayFacts.MaxPerCluster);
        foreach (var group in groups.Except(excess))
        {
            var taken = group.SelectMany(c => c.EdgeGateways).Select(g => g.Ordinal).ToHashSet();
            var kept = group.SelectMany(c => c.EdgeGateways).OrderBy(g => before.Contains(g.Id) ? 0 : 1).GroupBy(g => g.Ordinal).Select(same => same.First().Id).ToHashSet(StringComparer.Ordinal);
            foreach (var gateway in group.SelectMany(c => c.EdgeGateways).Where(g => !kept.Contains(g.Id)))
            {
                var free = Enumerable.Range(0, GatewayFacts.MaxPerCluster).First(taken.Add);
                changes.Add(gateway.Id, free);
            }
        }

        return changes;
    }
}
