using System.Diagnostics.Metrics;
using MeshFabric.Control.Api;
using MeshFabric.Persistence;
using MeshFabric.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Figures of the mesh for Prometheus, read from the database every 15 s: a scrape costs nothing.</summary>
public sealed partial class MeshMetrics : BackgroundService
{
    public const string MeterName = "MeshFabric.Control";
    static readonly TimeSpan Period = TimeSpan.FromSeconds(15);
    static readonly string[] States = ["pending", "connected", "degraded", "unreachable"];

    readonly IDbContextFactory<MeshDbContext> _contexts;
    readonly TimeProvider _time;
    readonly ILogger<MeshMetrics> _log;
    volatile Figures? _figures;

    public MeshMetrics(IDbContextFactory<MeshDbContext> contexts, IMeterFactory meters, TimeProvider time, ILogger<MeshMetrics> log)
    {
        _contexts = contexts;
        _time = time;
        _log = log;
        var meter = meters.Create(MeterName);
        meter.CreateObservableGauge("meshfabric_build_info", () => new Measurement<int>(1, Tag("version", ProductVersion.Current)));
        meter.CreateObservableGauge("meshfabric_mesh_revision", () => Of<long>(f => [new Measurement<long>(f.View.Facts.Revision)]));
        meter.CreateObservableGauge("meshfabric_mesh_published_revision", () => Of<long>(f => [new Measurement<long>(f.Published)]));
        meter.CreateObservableGauge("meshfabric_mesh_key_epoch", () => Of<int>(f => f.Keys is { } keys ? [new Measurement<int>(keys.Epoch)] : []));
        meter.CreateObservableGauge("meshfabric_mesh_key_rotation_timestamp_seconds", () => Of<long>(f => f.Keys is { } keys ? [new Measurement<long>(keys.CreatedAt.ToUnixTimeSeconds())] : []));
        meter.CreateObservableGauge("meshfabric_cluster_state", () => Of(f => f.View.Clusters.SelectMany(c =>
        {
            var state = f.View.Show(c).Status.State;
            return States.Select(s => new Measurement<int>(s == state ? 1 : 0, Tag("local_cluster", c.Name), Tag("state", s)));
        })));
        meter.CreateObservableGauge("meshfabric_cluster_info", () => Of(f => f.View.Clusters.Select(c => new Measurement<int>(
            1, Tag("local_cluster", c.Name), Tag("kind", c.Kind.ToString().ToLowerInvariant()), Tag("provider", c.Provider), Tag("region", c.Region), Tag("version", c.KubernetesVersion)))));
        meter.CreateObservableGauge("meshfabric_cluster_last_seen_timestamp_seconds", () => Of(f => f.View.Clusters.Where(c => c.Gateways.Exists(g => g.LastSeen is not null))
            .Select(c => new Measurement<long>(c.Gateways.Max(g => g.LastSeen)!.Value.ToUnixTimeSeconds(), Tag("local_cluster", c.Name)))));
        meter.CreateObservableGauge("meshfabric_ipam_used_ratio", () => Of(f => AddressesApi.Pools(f.View.Facts).Select(p => new Measurement<double>(p.UsedRatio, Tag("pool", p.Cidr.ToString()), Tag("purpose", p.Purpose)))));
        meter.CreateObservableGauge("meshfabric_ipam_conflicts", () => Of<int>(f => [new Measurement<int>(AddressesApi.Conflicts(f.View.Facts).Count())]));
        meter.CreateObservableGauge("meshfabric_tunnels_wanted", () => Of<long>(f => [new Measurement<long>(TunnelPairs.Count(f.View.Facts, f.View.Graph))]));
    }

    sealed record Figures(MeshView View, long Published, KeyEpochRow? Keys);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, _time);
        do
        {
            try
            {
                await using var db = await _contexts.CreateDbContextAsync(stoppingToken);
                _figures = new Figures(await MeshView.LoadAsync(db, _time, stoppingToken), await db.Mesh.Select(m => m.PublishedRevision).SingleAsync(stoppingToken),
                    await KeyEpochs.NewestAsync(db, stoppingToken));
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(_log, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    IEnumerable<Measurement<T>> Of<T>(Func<Figures, IEnumerable<Measurement<T>>> read)
        where T : struct => _figures is { } figures ? read(figures) : [];

    static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    [LoggerMessage(1701, LogLevel.Warning, "The mesh's figures could not be read: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason);
}
