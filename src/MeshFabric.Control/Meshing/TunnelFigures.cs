using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Counts of tunnels by what both sides last reported; a side not heard of counts as unknown.</summary>
public static class TunnelFigures
{
    public sealed record Totals(long Connected, long Down);

    /// <summary>Of the tunnels between two clusters, <paramref name="A"/> being the one whose name comes first.</summary>
    /// <param name="Connected">As both sides see it.</param>
    /// <param name="RttSeconds">The shortest; null where nobody measured.</param>
    /// <param name="LossRatio">The worst.</param>
    public sealed record Link(string A, string B, int Connected, int Down, int Relayed, double? RttSeconds, double? LossRatio);

    sealed record PerGateway(string GatewayId, int Connected);

    /// <summary>Of all pairs of live gateways.</summary>
    public static async Task<Totals> TotalsAsync(MeshDbContext db, DateTimeOffset heardSince, CancellationToken cancellationToken) =>
        await db.Database.SqlQuery<Totals>($"""
            SELECT count(*) FILTER (WHERE a.state = 'Connected' AND b.state = 'Connected' AND ga.last_seen >= {heardSince} AND gb.last_seen >= {heardSince}) AS "Connected",
                   count(*) FILTER (WHERE (a.state = 'Down' AND ga.last_seen >= {heardSince}) OR (b.state = 'Down' AND gb.last_seen >= {heardSince})) AS "Down"
            FROM gateways ga
            JOIN clusters ca ON ca.id = ga.cluster_id
            JOIN gateways gb ON gb.id > ga.id AND gb.cluster_id <> ga.cluster_id
            JOIN clusters cb ON cb.id = gb.cluster_id
            LEFT JOIN tunnel_reports a ON a.gateway_id = ga.id AND a.peer_cluster = cb.name AND a.peer_gateway = gb.name
            LEFT JOIN tunnel_reports b ON b.gateway_id = gb.id AND b.peer_cluster = ca.name AND b.peer_gateway = ga.name
            """).SingleAsync(cancellationToken);

    /// <summary>Connected tunnels by gateway, as each sees its own.</summary>
    public static async Task<IReadOnlyDictionary<string, int>> ConnectedAsync(MeshDbContext db, IReadOnlyCollection<string> gatewayIds, CancellationToken cancellationToken)
    {
        var ids = gatewayIds.ToArray();
        var rows = await db.Database.SqlQuery<PerGateway>($"""
            SELECT r.gateway_id AS "GatewayId", count(*)::int AS "Connected"
            FROM tunnel_reports r
            JOIN clusters c ON c.name = r.peer_cluster
            JOIN gateways g ON g.cluster_id = c.id AND g.name = r.peer_gateway
            WHERE r.gateway_id = ANY({ids}) AND r.state = 'Connected'
            GROUP BY r.gateway_id
            """).ToListAsync(cancellationToken);
        return rows.ToDictionary(r => r.GatewayId, r => r.Connected);
    }

    /// <summary>By the names of two clusters.</summary>
    /// <param name="cluster">Only of this one; null: of all.</param>
    public static async Task<IReadOnlyDictionary<(string A, string B), Link>> LinksAsync(MeshDbContext db, DateTimeOffset heardSince, string? cluster, CancellationToken cancellationToken)
    {
        var rows = await db.Database.SqlQuery<Link>($"""
            SELECT a AS "A", b AS "B",
                   count(*) FILTER (WHERE near = 'Connected' AND far = 'Connected')::int AS "Connected",
                   count(*) FILTER (WHERE near = 'Down' OR far = 'Down')::int AS "Down",
                   count(*) FILTER (WHERE near = 'Connected' AND far = 'Connected' AND relay IS NOT NULL)::int AS "Relayed",
                   min(least(near_rtt, far_rtt)) AS "RttSeconds",
                   max(greatest(near_loss, far_loss)) FILTER (WHERE near = 'Connected' AND far = 'Connected') AS "LossRatio"
            FROM (
                SELECT ca.name AS a, cb.name AS b, ra.state AS near, rb.state AS far, coalesce(ra.report ->> 'relay', rb.report ->> 'relay') AS relay,
                       (ra.report ->> 'roundTripSeconds')::float8 AS near_rtt, (rb.report ->> 'roundTripSeconds')::float8 AS far_rtt,
                       (ra.report ->> 'lossRatio')::float8 AS near_loss, (rb.report ->> 'lossRatio')::float8 AS far_loss
                FROM gateways ga
                JOIN clusters ca ON ca.id = ga.cluster_id
                JOIN clusters cb ON cb.name COLLATE "C" > ca.name COLLATE "C"
                JOIN gateways gb ON gb.cluster_id = cb.id
                LEFT JOIN tunnel_reports ra ON ra.gateway_id = ga.id AND ra.peer_cluster = cb.name AND ra.peer_gateway = gb.name AND ga.last_seen >= {heardSince}
                LEFT JOIN tunnel_reports rb ON rb.gateway_id = gb.id AND rb.peer_cluster = ca.name AND rb.peer_gateway = ga.name AND gb.last_seen >= {heardSince}
                WHERE ({cluster}::text IS NULL OR ca.name = {cluster} OR cb.name = {cluster}) AND (ra.gateway_id IS NOT NULL OR rb.gateway_id IS NOT NULL)
            ) AS tunnel
            GROUP BY a, b
            """).ToListAsync(cancellationToken);
        return rows.ToDictionary(r => (r.A, r.B));
    }
}
