using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Counts of tunnels by what both sides last reported; a side not heard of counts as unknown.</summary>
public static class TunnelFigures
{
    public sealed record Totals(long Connected, long Down);

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
}
