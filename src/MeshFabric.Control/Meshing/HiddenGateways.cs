using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Keeps the facts about gateways that can only dial out: where others see them, and who hands packets on between two of them.</summary>
/// <remarks>Level-triggered: it compares what the reports say with the facts and changes what differs. Every replica may do it at any time.</remarks>
public sealed partial class HiddenGateways(IDbContextFactory<MeshDbContext> contexts, FactsStore facts, TimeProvider time, ILogger<HiddenGateways> log) : WokenReconciler(Period, Pause, time)
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // Reports come in crowds.
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);

    // An agent that is away for a while relays all the same, and what it saw may still be so.
    static readonly TimeSpan Absence = TimeSpan.FromMinutes(5);

    // Two may differ by who looks from where; more are a NAT that maps each destination by itself.
    const int MostObserved = 2;

    protected override void Failed(string reason) => LogFailed(log, reason);

    public override async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (await DifferencesAsync(db, Time.GetUtcNow(), cancellationToken) is { Count: > 0 })
        {
            await facts.ChangeAsync(async change =>
            {
                await ApplyAsync(change, cancellationToken);
                return true;
            }, cancellationToken);
        }
    }

    /// <summary>Within a change: a gateway that has just come or gone has its relays with the same revision.</summary>
    public static async Task ApplyAsync(FactsChange change, CancellationToken cancellationToken)
    {
        if (change.HiddenAreSettled)
        {
            return;
        }

        await change.Db.SaveChangesAsync(cancellationToken);
        foreach (var (cluster, gateway, observed, relays) in await DifferencesAsync(change.Db, change.Now, cancellationToken))
        {
            (gateway.ObservedEndpoints, gateway.Relays) = (observed, relays);
            change.Touch(cluster);
        }

        change.HiddenAreSettled = true;
    }

    sealed record Difference(ClusterRow Cluster, GatewayRow Gateway, ValueList<ObservedEndpoint> Observed, ValueList<RelayFacts> Relays);

    static async Task<List<Difference>> DifferencesAsync(MeshDbContext db, DateTimeOffset now, CancellationToken cancellationToken)
    {
        // Most meshes have none, or few, and whoever is asked at every change should not read everything for that.
        var hiddenOrRelaying = await db.Gateways.AsNoTracking().Select(g => new { Hidden = g.Endpoints.Count == 0, g.Relays, g.ObservedEndpoints }).ToListAsync(cancellationToken);
        if (hiddenOrRelaying.TrueForAll(g => !g.Hidden && g.Relays.Count == 0 && g.ObservedEndpoints.Count == 0))
        {
            return [];
        }

        var clusters = await FactsStore.Clusters(db).ToListAsync(cancellationToken);
        var gateways = clusters.SelectMany(c => c.Gateways, (c, g) => (Cluster: c, Gateway: g)).ToList();
        var heard = gateways.Where(g => now - (g.Gateway.LastSeen ?? g.Gateway.CreatedAt) < Absence).Select(g => g.Gateway.Id).ToHashSet(StringComparer.Ordinal);
        // When most are silent it is we who were away, or the broker.
        var alive = heard.Count * 2 < gateways.Count ? gateways.Select(g => g.Gateway.Id).ToHashSet(StringComparer.Ordinal) : heard;
        var seen = await SeenAsync(db, gateways.Where(g => g.Gateway.Endpoints.Count == 0 || alive.Contains(g.Gateway.Id)).ToList(), cancellationToken);
        var known = clusters.Select(c => c.ToFacts()).OrderBy(c => c.Name, StringComparer.Ordinal).ToList();
        var topology = (await db.Mesh.SingleAsync(cancellationToken)).Settings.Topology;
        var relays = RelayPlanner.Plan(
            known,
            MeshGraph.Of(topology, known),
            alive.Contains,
            (relay, hidden) => seen.GetValueOrDefault((relay, hidden))?.RoundTripSeconds);
        return gateways.Select(g => new Difference(g.Cluster, g.Gateway, Observed(g.Gateway, gateways, seen), relays.GetValueOrDefault(g.Gateway.Id) ?? []))
            .Where(d => !d.Observed.Equals(d.Gateway.ObservedEndpoints) || !d.Relays.Equals(d.Gateway.Relays))
            .ToList();
    }

    /// <summary>What gateways that can be dialled last said of their tunnels to those that cannot, by both ids.</summary>
    static async Task<Dictionary<(string Observer, string Hidden), TunnelReport>> SeenAsync(MeshDbContext db, List<(ClusterRow Cluster, GatewayRow Gateway)> gateways, CancellationToken cancellationToken)
    {
        var hidden = gateways.Where(g => g.Gateway.Endpoints.Count == 0).ToDictionary(g => (g.Cluster.Name, g.Gateway.Name), g => g.Gateway.Id);
        var observers = gateways.Where(g => g.Gateway.Endpoints.Count > 0).Select(g => g.Gateway.Id).ToArray();
        var names = hidden.Keys.Select(k => k.Item1).Distinct().ToArray();
        var rows = await db.TunnelReports.AsNoTracking()
            .Where(r => observers.Contains(r.GatewayId) && names.Contains(r.PeerCluster) && r.State == TunnelState.Connected)
            .ToListAsync(cancellationToken);
        return rows.Where(r => hidden.ContainsKey((r.PeerCluster, r.PeerGateway)))
            .ToDictionary(r => (r.GatewayId, hidden[(r.PeerCluster, r.PeerGateway)]), r => r.Report);
    }

    static ValueList<ObservedEndpoint> Observed(GatewayRow gateway, List<(ClusterRow Cluster, GatewayRow Gateway)> gateways, Dictionary<(string, string), TunnelReport> seen) => gateway.Endpoints.Count > 0
        ? []
        : gateways.Select(o => (o.Gateway.Ordinal, Report: seen.GetValueOrDefault((o.Gateway.Id, gateway.Id))))
            .Where(o => o.Report?.Endpoint is not null)
            // Its device of that plane is the one that the observer of this ordinal sees.
            .Select(o => new ObservedEndpoint(o.Ordinal, o.Report!.Endpoint!))
            .GroupBy(o => o)
            .GroupBy(same => same.Key.Plane)
            // What most of them see first.
            .SelectMany(plane => plane.OrderByDescending(same => same.Count()).ThenBy(same => same.Key).Take(MostObserved))
            .Select(same => same.Key)
            .Order()
            .ToValueList();

    [LoggerMessage(1701, LogLevel.Warning, "What is known of gateways that can only dial out could not be brought up to date and will be tried again: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason);
}
