using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Persistence;

namespace MeshFabric.Control.Api;

/// <summary><c>/links</c>: one record per pair of linked clusters, summed up from what both sides of each tunnel saw.</summary>
public static class LinksApi
{
    public static void MapLinks(this IEndpointRouteBuilder api) =>
        api.MapGet("/links", ListAsync).WithName("ListLinks").WithTags("Tunnels").WithSummary("Pairs of linked clusters; ?cluster= and ?state=connected|degraded|down|unknown filter, and state may be repeated");

    static async Task<Page<LinkResource>> ListAsync(Paging paging, string? cluster, string[]? state, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (state?.FirstOrDefault(s => !LinkResource.States.Contains(s)) is { } wrong)
        {
            throw Refusal.Query("state", $"'{wrong}': one of {string.Join(", ", LinkResource.States)} is needed");
        }

        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        var seen = await TunnelFigures.LinksAsync(db, time.GetUtcNow() - Liveness.Limit, cluster, cancellationToken);
        var links = Pairs(view, cluster)
            .Select(p => Show(p.A.Name, p.B.Name, (int)TunnelPairs.Between(p.A, p.B), seen.GetValueOrDefault((p.A.Name, p.B.Name))))
            .Where(l => l.TunnelsWanted > 0 && (state is not { Length: > 0 } || state.Contains(l.State)))
            .ToList();
        return paging.Cut(links, l => $"{l.A}/{l.B}", l => l);
    }

    // Ordered as their names are written together, for a cursor is such a name.
    static IEnumerable<(Domain.Clusters.ClusterFacts A, Domain.Clusters.ClusterFacts B)> Pairs(MeshView view, string? cluster)
    {
        var clusters = view.Facts.Clusters.OrderBy(c => c.Name, StringComparer.Ordinal).ToList();
        return clusters
            .SelectMany((a, i) => clusters.Skip(i + 1).Where(b => (cluster is null || a.Name == cluster || b.Name == cluster) && view.Graph.AreLinked(a, b)), (a, b) => (A: a, B: b))
            .OrderBy(p => $"{p.A.Name}/{p.B.Name}", StringComparer.Ordinal);
    }

    static LinkResource Show(string a, string b, int wanted, TunnelFigures.Link? seen)
    {
        var connected = Math.Min(wanted, seen?.Connected ?? 0);
        var state = connected == wanted ? "connected" : connected > 0 ? "degraded" : seen is { Down: > 0 } ? "down" : "unknown";
        return new LinkResource(a, b, state, wanted, connected, seen?.Relayed ?? 0, seen?.RttSeconds, seen?.LossRatio);
    }
}
