using MeshFabric.Control.Api;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Keeps the numbers of hubs' gateways apart, as <see cref="HubOrdinals"/> says.</summary>
static class HubNumbers
{
    /// <summary>Within a change: whoever has just come, or has just become a hub, has its number with the same revision. Who was a hub before keeps its own.</summary>
    /// <exception cref="Refusal">This change gives a hub group too many gateways.</exception>
    public static async Task ApplyAsync(FactsChange change, CancellationToken cancellationToken)
    {
        if (!change.Renumbers || !change.HasHubs)
        {
            return;
        }

        await change.Db.SaveChangesAsync(cancellationToken);
        var rows = await FactsStore.Clusters(change.Db).ToDictionaryAsync(c => c.Id, cancellationToken);
        var before = MeshGraph.Of(await change.BeforeAsync(cancellationToken)).HubGroups.SelectMany(g => g).SelectMany(c => c.Gateways).Select(g => g.Id).ToHashSet(StringComparer.Ordinal);
        var changes = HubOrdinals.Changes(MeshGraph.Of(change.Settings.Topology, rows.Values.Select(r => r.ToFacts())), before, out var excess);
        if (excess.FirstOrDefault(g => change.Enlarged is not { } enlarged || g.Any(c => enlarged.Contains(c.Id))) is { } group)
        {
            throw Refusal.Conflict("too-many-hub-gateways",
                $"The hubs {string.Join(", ", group.Select(c => c.Name))} would have {group.Sum(c => c.EdgeGateways.Count())} gateways together, and hubs of one region, or of a mesh without regions, can have {GatewayFacts.MaxPerCluster}. Choose fewer hubs, or remove gateways of them.");
        }

        foreach (var (cluster, gateway) in rows.Values.SelectMany(r => r.Gateways, (r, g) => (r, g)).Where(g => changes.ContainsKey(g.g.Id)))
        {
            change.Event("gateway-renumbered", "info", $"gateway/{cluster.Name}/{gateway.Name}", "system", $"Gateway {gateway.Name} of {cluster.Name} has number {changes[gateway.Id]} instead of {gateway.Ordinal}, for it is one of several hubs; its tunnels connect anew.");
            gateway.Ordinal = changes[gateway.Id];
            change.Touch(cluster);
        }
    }
}
