using MeshFabric.Contracts.Http;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Rows and facts of one moment, shown as the API's objects.</summary>
public sealed class MeshView
{
    readonly Dictionary<string, ClusterFacts> _facts;
    readonly IReadOnlyDictionary<string, int> _connected;
    readonly DateTimeOffset _heardSince;

    MeshView(MeshFacts facts, List<ClusterRow> rows, IReadOnlyDictionary<string, int> connected, DateTimeOffset heardSince)
    {
        Facts = facts;
        Graph = MeshGraph.Of(facts);
        Clusters = rows;
        _facts = facts.Clusters.ToDictionary(c => c.Id);
        _connected = connected;
        _heardSince = heardSince;
    }

    public MeshFacts Facts { get; }

    public MeshGraph Graph { get; }

    /// <summary>Ordered by name.</summary>
    public IReadOnlyList<ClusterRow> Clusters { get; }

    public static async Task<MeshView> LoadAsync(MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var mesh = await db.Mesh.AsNoTracking().SingleAsync(cancellationToken);
        var rows = await FactsStore.Clusters(db).AsNoTracking().ToListAsync(cancellationToken);
        rows.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        var facts = new MeshFacts(mesh.Revision, mesh.Settings, rows.Select(r => r.ToFacts()).ToValueList());
        var connected = await TunnelFigures.ConnectedAsync(db, rows.SelectMany(r => r.Gateways).Select(g => g.Id).ToList(), cancellationToken);
        return new MeshView(facts, rows, connected, time.GetUtcNow() - Liveness.Limit);
    }

    public ClusterRow Cluster(string name) => Clusters.FirstOrDefault(c => c.Name == name) ?? throw Api.Refusal.NotFound("cluster", name);

    public GatewayRow Gateway(string cluster, string name) =>
        Cluster(cluster).Gateways.Find(g => g.Name == name) ?? throw Api.Refusal.NotFound("gateway", $"{cluster}/{name}");

    public IReadOnlyDictionary<string, string> Labels(ClusterRow row) => _facts[row.Id].Labels.ToDictionary(l => l.Key, l => l.Value);

    public bool Heard(GatewayRow gateway) => gateway.LastSeen >= _heardSince;

    public ClusterResource Show(ClusterRow row)
    {
        var facts = _facts[row.Id];
        var wanted = (int)TunnelPairs.Count(Facts, Graph, facts);
        var connected = row.Gateways.Where(Heard).Sum(g => _connected.GetValueOrDefault(g.Id));
        var heard = row.Gateways.Count(Heard);
        var state = row.Gateways.Count == 0 ? "pending"
            : heard == 0 ? "unreachable"
            : heard == row.Gateways.Count && connected >= wanted ? "connected"
            : "degraded";
        return new ClusterResource(
            new Metadata(row.Name, row.Id, $"{row.Version}", row.CreatedAt, Labels(row)),
            new ClusterSpec(row.Kind, row.Provider, row.Region, row.Zone,
                facts.Prefixes.Where(p => !p.Services).Select(p => p.Local).ToValueList(), row.ServiceCidrs.Select(c => c.ToCidr()).ToValueList())
            { AdvertiseServices = row.AdvertisesServices, Granularity = row.Granularity, Beacons = facts.Beacons.Select(b => b.Address.ToString()).ToValueList() },
            new ClusterStatus(state, row.FactsRevision, facts.Prefixes, facts.EdgeGateways.Count(), row.Gateways.Count(g => !g.IsLeaf && Heard(g)), connected, wanted, row.KubernetesVersion, row.Nodes, row.Findings, Conditions(row, heard)) { Networking = row.Networking, Leaves = row.Gateways.Count(g => g.IsLeaf), LeavesConnected = row.Gateways.Count(g => g.IsLeaf && Heard(g)) });
    }

    public GatewayResource Show(GatewayRow row)
    {
        var cluster = _facts[row.ClusterId];
        var facts = cluster.Gateways.First(g => g.Id == row.Id);
        return new GatewayResource(
            new Metadata($"{cluster.Name}/{row.Name}", row.Id, $"{cluster.Revision}-{(row.LastSeen ?? row.CreatedAt).ToUnixTimeMilliseconds()}", row.CreatedAt, new Dictionary<string, string>()),
            new GatewaySpec(cluster.Name, row.Name, row.Ordinal, facts.PublicKey, row.ListenPort, facts.Endpoints, facts.TunnelAddresses) { Drained = row.Drained, Node = row.Node, IsLeaf = facts.IsLeaf, Pods = facts.Pods },
            new GatewayStatus(Heard(row) ? "connected" : "unreachable", row.LastSeen, row.AgentVersion, row.Backend, row.FactsRevision, row.AppliedRevision,
                _connected.GetValueOrDefault(row.Id), TunnelPairs.Count(Facts, Graph, cluster, facts), row.Findings)
            {
                ObservedEndpoints = facts.ObservedEndpoints.Select(o => o.Endpoint).Distinct().Order().ToValueList(),
                RelayedPairs = facts.Relays.Count,
                KeySince = row.KeySince ?? row.CreatedAt,
                KeyChange = row.KeyChangeAt is not null ? "changing" : row.KeyAskedAt is not null ? "waiting" : "",
            });
    }

    IReadOnlyList<Condition> Conditions(ClusterRow row, int heard)
    {
        var conditions = new List<Condition>();
        var errors = row.Findings.Where(f => f.Severity == Domain.Planning.FindingSeverity.Error).ToList();
        conditions.Add(errors.Count == 0
            ? new Condition("AddressesAllocated", "True", "Allocated", "Every prefix has its place in the mesh.", row.CreatedAt)
            : new Condition("AddressesAllocated", "False", errors[0].Code, string.Join(" ", errors.Select(e => e.Message)), row.CreatedAt));
        if (row.Gateways.Count > 0)
        {
            var lost = row.Gateways.Where(g => !Heard(g)).ToList();
            conditions.Add(lost.Count == 0
                ? new Condition("GatewaysReachable", "True", "Reporting", $"All {heard} gateways report.", row.Gateways.Max(g => g.CreatedAt))
                : new Condition("GatewaysReachable", "False", "NotHeardOf", $"Not heard of: {string.Join(", ", lost.Select(g => g.Name))}.", lost.Max(g => g.LastSeen is { } seen ? seen + Liveness.Limit : g.CreatedAt)));
        }

        return conditions;
    }
}
