using MeshFabric.Control.Api;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Keeps the numbers of hubs' gateways apart, as <see cref="HubOrdinals"/> says.</summary>
static class HubNumbers
{
    /// <summary>Within a change: whoever has just come, or has just become a hub, has its number with the same revision.</summary>
    /// <exception cref="Refusal">There are too many, and this change is to be refused for it.</exception>
    public static async Task ApplyAsync(FactsChange change, CancellationToken cancellationToken)
    {
        if (change.Settings.Topology?.Kind is not (TopologyKind.HubAndSpoke or TopologyKind.Regions))
        {
            return;
        }

        await change.Db.SaveChangesAsync(cancellationToken);
        var rows = await FactsStore.Clusters(change.Db).ToDictionaryAsync(c => c.Id, cancellationToken);
        var changes = HubOrdinals.Changes(MeshGraph.Of(change.Settings.Topology, rows.Values.Select(r => r.ToFacts())), out var excess);
        if (change.RefusesExcessOfHubs && excess is [var group, ..])
        {
            throw Refusal.Conflict("too-many-hub-gateways",
                $"The hubs {string.Join(", ", group.Select(c => c.Name))} would have {group.Sum(c => c.Gateways.Count)} gateways together, and hubs of one region, or of a mesh without regions, can have {GatewayFacts.MaxPerCluster}. Choose fewer hubs, or remove gateways of them.");
        }

        foreach (var cluster in rows.Values.Where(r => r.Gateways.Exists(g => changes.ContainsKey(g.Id))))
        {
            cluster.Gateways.ForEach(g => g.Ordinal = changes.GetValueOrDefault(g.Id, g.Ordinal));
            change.Touch(cluster);
        }
    }
}
