using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Api;

/// <summary><c>/tunnels</c>: one record per wanted pair of gateways, with what both sides saw.</summary>
public static class TunnelsApi
{
    static readonly string[] States = ["connected", "connecting", "down", "unknown"];

    public static void MapTunnels(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/tunnels").WithTags("Tunnels");
        group.MapGet("", ListAsync).WithName("ListTunnels").WithSummary("All tunnels; ?cluster= (with ?peer=: those between the two) and ?state=connected|connecting|down|unknown filter");
        group.MapGet("/{name}", GetAsync).WithName("GetTunnel").WithSummary("By CLUSTER.GATEWAY--CLUSTER.GATEWAY, in either order");
    }

    static async Task<Page<TunnelResource>> ListAsync(Paging paging, string? cluster, string? peer, string? state, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (state is not null && !States.Contains(state))
        {
            throw Refusal.Query("state", $"one of {string.Join(", ", States)} is needed");
        }

        if (peer is not null && (cluster is null || peer == cluster))
        {
            throw Refusal.Query("peer", "needs ?cluster= beside it, which is another one");
        }

        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        var pairs = TunnelPairs.Of(view.Facts, cluster, peer).ToList();
        if (state is null)
        {
            // Only the page's own reports are read: there may be millions of tunnels.
            var page = paging.Cut(pairs, Key, p => p);
            var reports = await Reports.LoadAsync(db, view, page.Items, cancellationToken);
            return new Page<TunnelResource>(page.Items.Select(reports.Show).ToList(), page.NextCursor, page.Total);
        }

        var all = await Reports.LoadAsync(db, view, pairs, cancellationToken);
        return paging.Cut(pairs.Select(all.Show).Where(t => t.Status.State == state).ToList(), t => t.Metadata.Name, t => t);
    }

    static async Task<TunnelResource> GetAsync(string name, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        var ends = name.Split("--");
        var pair = ends.Length == 2 ? TunnelPairs.Of(view.Facts).FirstOrDefault(p => (p.A.Name == ends[0] && p.B.Name == ends[1]) || (p.A.Name == ends[1] && p.B.Name == ends[0])) : default;
        return pair.A is not null
            ? (await Reports.LoadAsync(db, view, [pair], cancellationToken)).Show(pair)
            : throw Refusal.NotFound("tunnel", name);
    }

    static string Key((GatewayOf A, GatewayOf B) pair) => TunnelPairs.NameOf(pair.A, pair.B);

    sealed class Reports(MeshView view, Dictionary<(string, string, string), TunnelReportRow> rows)
    {
        public static async Task<Reports> LoadAsync(MeshDbContext db, MeshView view, IReadOnlyList<(GatewayOf A, GatewayOf B)> pairs, CancellationToken cancellationToken)
        {
            var ids = pairs.SelectMany(p => new[] { p.A.Gateway.Id, p.B.Gateway.Id }).Distinct().ToArray();
            var rows = await db.TunnelReports.AsNoTracking().Where(r => ids.Contains(r.GatewayId)).ToListAsync(cancellationToken);
            return new Reports(view, rows.ToDictionary(r => (r.GatewayId, r.PeerCluster, r.PeerGateway)));
        }

        public TunnelResource Show((GatewayOf A, GatewayOf B) pair)
        {
            var a = Side(pair.A, pair.B, out var aFresh);
            var b = Side(pair.B, pair.A, out var bFresh);
            var newest = new[] { a?.ReportedAt, b?.ReportedAt, view.Gateway(pair.A.Cluster.Name, pair.A.Gateway.Name).CreatedAt, view.Gateway(pair.B.Cluster.Name, pair.B.Gateway.Name).CreatedAt }.Max()!.Value;
            var created = new[] { view.Gateway(pair.A.Cluster.Name, pair.A.Gateway.Name).CreatedAt, view.Gateway(pair.B.Cluster.Name, pair.B.Gateway.Name).CreatedAt }.Max();
            var relay = a?.Relay ?? b?.Relay;
            return new TunnelResource(
                new Metadata(Key(pair), $"{pair.A.Gateway.Id}--{pair.B.Gateway.Id}", $"{newest.ToUnixTimeMilliseconds()}", created, new Dictionary<string, string>()),
                TunnelPairs.Spec(pair.A, pair.B),
                new TunnelStatus(Worse(aFresh ? a : null, bFresh ? b : null), relay is null ? "direct" : "relayed", a, b) { Relay = relay });
        }

        TunnelSide? Side(GatewayOf near, GatewayOf far, out bool fresh)
        {
            fresh = view.Heard(view.Gateway(near.Cluster.Name, near.Gateway.Name));
            if (!rows.TryGetValue((near.Gateway.Id, far.Cluster.Name, far.Gateway.Name), out var row))
            {
                return null;
            }

            var r = row.Report;
            return new TunnelSide(r.State, r.Endpoint, r.LastHandshake, r.RoundTripSeconds, r.LossRatio, r.ReceivedBytes, r.SentBytes, row.ReportedAt) { JitterSeconds = r.JitterSeconds, MtuBytes = r.MtuBytes, Relay = r.Relay, KeyEpoch = r.KeyEpoch, ReachesInside = r.ReachesInside };
        }

        // What a side said that is not heard of any more says nothing about now.
        static string Worse(TunnelSide? a, TunnelSide? b) =>
            a?.State == TunnelState.Down || b?.State == TunnelState.Down ? "down"
            : a is null || b is null ? "unknown"
            : a.State == TunnelState.Connecting || b.State == TunnelState.Connecting ? "connecting"
            : "connected";
    }
}
