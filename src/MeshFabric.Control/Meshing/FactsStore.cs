using System.Data;
using System.Security.Cryptography;
using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Api;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Reads and changes facts. Every change happens under the locked mesh row: revisions have no gaps, prefixes are given out one after the other.</summary>
public sealed class FactsStore(IDbContextFactory<MeshDbContext> contexts, TimeProvider time)
{
    /// <summary>Facts of one moment: the revision and the clusters belong together.</summary>
    public async Task<MeshFacts> LoadAsync(CancellationToken cancellationToken)
    {
        await using var outer = await contexts.CreateDbContextAsync(cancellationToken);
        return await outer.Database.CreateExecutionStrategy().ExecuteAsync(async token =>
        {
            await using var db = await contexts.CreateDbContextAsync(token);
            await using var transaction = await db.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead, token);
            return await LoadAsync(db, token);
        }, cancellationToken);
    }

    /// <summary>Reads with a context of its own, without a lock.</summary>
    public async Task<T> ReadAsync<T>(Func<MeshDbContext, Task<T>> read, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await read(db);
    }

    public static async Task<MeshFacts> LoadAsync(MeshDbContext db, CancellationToken cancellationToken)
    {
        var mesh = await db.Mesh.AsNoTracking().SingleAsync(cancellationToken);
        var clusters = await Clusters(db).AsNoTracking().ToListAsync(cancellationToken);
        return new MeshFacts(mesh.Revision, mesh.Settings, clusters.Select(c => c.ToFacts()).OrderBy(c => c.Name, StringComparer.Ordinal).ToValueList());
    }

    /// <summary>
    /// Runs <paramref name="change"/> in one transaction with the mesh row locked, and commits it with a new revision and a wake-up for the publishers.
    /// A <see cref="Refusal"/> rolls everything back. Retried as a whole when the database restarts, so it must not have effects elsewhere.
    /// </summary>
    /// <param name="isDryRun">Everything is done, and then rolled back.</param>
    public async Task<T> ChangeAsync<T>(Func<FactsChange, Task<T>> change, CancellationToken cancellationToken, bool isDryRun = false)
    {
        await using var outer = await contexts.CreateDbContextAsync(cancellationToken);
        return await outer.Database.CreateExecutionStrategy().ExecuteAsync(async token =>
        {
            await using var db = await contexts.CreateDbContextAsync(token);
            await using var transaction = await db.Database.BeginTransactionAsync(token);
            var mesh = await db.Mesh.FromSql($"SELECT * FROM mesh WHERE id = 1 FOR UPDATE").SingleAsync(token);
            var open = new FactsChange(db, mesh, time.GetUtcNow());
            var result = await change(open);
            await open.SettleAsync(token);
            if (isDryRun)
            {
                await transaction.RollbackAsync(token);
                return result;
            }

            await db.Database.ExecuteSqlAsync($"SELECT pg_notify({MeshDbContext.FactsChannel}, '')", token);
            await transaction.CommitAsync(token);
            return result;
        }, cancellationToken);
    }

    public static Task<MeshSettings> SettingsAsync(MeshDbContext db, CancellationToken cancellationToken) =>
        db.Mesh.AsNoTracking().Select(m => m.Settings).SingleAsync(cancellationToken);

    public static IQueryable<ClusterRow> Clusters(MeshDbContext db) => db.Clusters.Include(c => c.Prefixes).Include(c => c.Gateways).AsSplitQuery();
}

/// <summary>One change of facts while its transaction is open.</summary>
public sealed class FactsChange(MeshDbContext db, MeshRow mesh, DateTimeOffset now)
{
    public MeshDbContext Db => db;
    public MeshSettings Settings => mesh.Settings;
    public DateTimeOffset Now => now;

    /// <exception cref="Refusal">There is no cluster of that name.</exception>
    public async Task<ClusterRow> ClusterAsync(string name, CancellationToken cancellationToken) =>
        await FactsStore.Clusters(db).SingleOrDefaultAsync(c => c.Name == name, cancellationToken) ?? throw Refusal.NotFound("cluster", name);

    /// <summary>The revision that this change makes.</summary>
    public long Revision { get; } = mesh.Revision + 1;

    public bool ChangesFacts { get; private set; }

    bool _keysAreRenewed;
    MeshFacts? _before;

    /// <summary>What is known of gateways that can only dial out is up to date with this change.</summary>
    public bool HiddenAreSettled { get; set; }

    /// <summary>The facts before this change; first asked for before anything of it is saved.</summary>
    public async Task<MeshFacts> BeforeAsync(CancellationToken cancellationToken) => _before ??= await FactsStore.LoadAsync(db, cancellationToken);

    /// <summary>Who is a hub, or which gateways hubs have, may be another thing by this change.</summary>
    public bool Renumbers { get; private set; }

    /// <summary>Clusters of which this change may not make a hub group have too many gateways; null: any.</summary>
    public HashSet<string>? Enlarged { get; private set; } = [];

    /// <param name="enlarged">Whose hub group this change may enlarge; null: none is.</param>
    public async Task RenumberAsync(ClusterRow? enlarged, CancellationToken cancellationToken)
    {
        Renumbers = true;
        if (enlarged is not null)
        {
            Enlarged?.Add(enlarged.Id);
        }

        if (HasHubs)
        {
            await BeforeAsync(cancellationToken);
        }
    }

    public bool HasHubs => mesh.Settings.Topology is { HasHubs: true };

    /// <param name="topology">Null: full mesh.</param>
    public async Task SetTopologyAsync(Topology? topology, CancellationToken cancellationToken)
    {
        await BeforeAsync(cancellationToken);
        ChangesFacts = true;
        (Renumbers, Enlarged) = (true, null);
        mesh.Settings = mesh.Settings with { Topology = topology };
    }

    /// <summary>Whatever follows from the change by itself, in its own revision; saved, not committed.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken)
    {
        if (ChangesFacts)
        {
            await HubNumbers.ApplyAsync(this, cancellationToken);
            await HiddenGateways.ApplyAsync(this, cancellationToken);
            mesh.Revision = Revision;
        }

        await db.SaveChangesAsync(cancellationToken);
    }

    public void Touch(ClusterRow cluster)
    {
        ChangesFacts = true;
        cluster.FactsRevision = Revision;
    }

    public async Task RemoveAsync(ClusterRow cluster, CancellationToken cancellationToken)
    {
        ChangesFacts = true;
        db.Clusters.Remove(cluster);
        await db.TunnelReports.Where(r => r.PeerCluster == cluster.Name).ExecuteDeleteAsync(cancellationToken);
        db.Tombstones.Add(new TombstoneRow { ClusterId = cluster.Id, Name = cluster.Name, Revision = Revision, RemovedAt = now });
        cluster.Gateways.ForEach(g => Remember(cluster, g));
        if (cluster.Gateways.Count > 0)
        {
            await RenewKeysAsync($"cluster {cluster.Name} left", "system", 0, cancellationToken);
        }
    }

    public async Task RemoveAsync(ClusterRow cluster, GatewayRow gateway, CancellationToken cancellationToken)
    {
        cluster.Gateways.Remove(gateway);
        db.Gateways.Remove(gateway);
        Remember(cluster, gateway);
        await RenewKeysAsync($"gateway {cluster.Name}/{gateway.Name} left", "system", 0, cancellationToken);
        // What others saw of it says nothing about a successor of the same name.
        await db.TunnelReports.Where(r => r.PeerCluster == cluster.Name && r.PeerGateway == gateway.Name).ExecuteDeleteAsync(cancellationToken);
        Touch(cluster);
    }

    void Remember(ClusterRow cluster, GatewayRow gateway) =>
        db.RemovedGateways.Add(new RemovedGatewayRow { GatewayId = gateway.Id, Name = $"{cluster.Name}/{gateway.Name}", RemovedAt = now });

    /// <summary>Begins a new epoch of the mesh secret, and forgets what the one before was made from: who has left must not know what others use. Once a change.</summary>
    /// <param name="above">Epochs up to this one were in use.</param>
    public async Task RenewKeysAsync(string reason, string actor, int above, CancellationToken cancellationToken)
    {
        if (_keysAreRenewed)
        {
            return;
        }

        _keysAreRenewed = true;
        var before = await db.KeyEpochs.ToListAsync(cancellationToken);
        db.KeyEpochs.RemoveRange(before);
        var epoch = KeyEpochs.Next(Math.Max(above, before.Select(e => e.Epoch).DefaultIfEmpty().Max()), now);
        db.KeyEpochs.Add(new KeyEpochRow { Epoch = epoch, Salt = RandomNumberGenerator.GetBytes(MeshSecret.Size), CreatedAt = now, Reason = reason });
        Event("keys-renewed", "info", "mesh", actor, $"All pre-shared keys are renewed (epoch {epoch}): {reason}.");
    }

    public void Event(string type, string severity, string subject, string actor, string message) =>
        db.Events.Add(new EventRow { At = now, Type = type, Severity = severity, Subject = subject, Actor = actor, Message = message });

    /// <summary>As audit records have it.</summary>
    public static string Json<T>(T value) => JsonSerializer.Serialize(value, MeshJson.Options);

    public void Audit(Caller caller, string action, string target, string? before, string? after) => db.Audit.Add(new AuditRow
    {
        At = now,
        Actor = caller.Actor,
        Action = action,
        Target = target,
        Before = before,
        After = after,
        RequestId = caller.RequestId,
        RemoteAddress = caller.RemoteAddress,
    });

    /// <summary>Makes the cluster's prefixes those of <paramref name="wanted"/>, and of its Services if they are advertised; other clusters may get an alias by it.</summary>
    /// <returns>Findings; those that are errors left their prefix out.</returns>
    public async Task<ValueList<Finding>> PlanPrefixesAsync(ClusterRow cluster, IReadOnlyList<Cidr> wanted, string actor, CancellationToken cancellationToken)
    {
        // Rows that this change has already made are local; all others come from the database.
        var rows = await db.Clusters.Include(c => c.Prefixes).ToListAsync(cancellationToken);
        if (!rows.Contains(cluster))
        {
            rows.Add(cluster);
        }

        var all = rows.Select(r => new ClusterPrefixes(r.Id, r.Name, r.ToPrefixes())).ToList();
        var plan = AddressPlanner.Plan(Settings, all, cluster.Id, cluster.Name, wanted, cluster.AdvertisesServices ? cluster.ServiceCidrs.Select(c => c.ToCidr()).ToList() : []);
        foreach (var changed in plan.Changed)
        {
            var row = rows.Single(r => r.Id == changed.ClusterId);
            if (row.ToPrefixes() != changed.Prefixes)
            {
                Apply(row, changed.Prefixes, actor);
            }
        }

        return plan.Findings;
    }

    void Apply(ClusterRow row, ValueList<MeshPrefix> prefixes, string actor)
    {
        var wanted = prefixes.SelectMany(Rows).ToList();
        foreach (var gone in row.Prefixes.Where(p => !wanted.Any(w => Same(w, p))).ToList())
        {
            row.Prefixes.Remove(gone);
            db.Prefixes.Remove(gone);
        }

        foreach (var added in wanted.Where(w => !row.Prefixes.Any(p => Same(w, p))))
        {
            row.Prefixes.Add(added);
            db.Prefixes.Add(added);
            if (added.Local.BaseAddress.ToString() != added.Mesh.BaseAddress.ToString())
            {
                var how = added.Services ? "(Services) is advertised as" : added.Role == PrefixRole.Alias ? "is also known as" : "is remapped to";
                var why = added.Services ? "" : ", for it overlaps another cluster's";
                Event("prefix-remapped", "info", $"cluster/{row.Name}", actor, $"{added.Local} of {row.Name} {how} {added.Mesh}{why}.");
            }
        }

        Touch(row);

        IEnumerable<PrefixRow> Rows(MeshPrefix p)
        {
            yield return new PrefixRow { ClusterId = row.Id, Role = PrefixRole.Primary, Local = p.Local.ToNetwork(), Mesh = p.Mesh.ToNetwork(), Services = p.Services };
            if (p.Alias is not null)
            {
                yield return new PrefixRow { ClusterId = row.Id, Role = PrefixRole.Alias, Local = p.Local.ToNetwork(), Mesh = p.Alias.ToNetwork(), Services = p.Services };
            }
        }

        static bool Same(PrefixRow a, PrefixRow b) => a.Role == b.Role && a.Services == b.Services && a.Local.Equals(b.Local) && a.Mesh.Equals(b.Mesh);
    }
}

/// <summary>Who asks, for audit records.</summary>
public sealed record Caller(string Actor, string RequestId, string RemoteAddress)
{
    public static readonly Caller System = new("system", "", "");
}
