using System.Net;
using System.Text.Json;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Api;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Messaging;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Reporting;

/// <summary>Stores what agents say, under the id that the broker vouches for. Everything may come twice or late.</summary>
public sealed partial class AgentInbox(IDbContextFactory<MeshDbContext> contexts, FactsStore facts, HiddenGateways hidden, MeshKeys keys, DeviceKeyChanges deviceKeys, SettledRevision settled, IAgentPost post, TimeProvider time, ILogger<AgentInbox> log) : IAgentInbox
{
    const int MostAddresses = 4;

    public async Task OnHeartbeatAsync(string gatewayId, AgentHeartbeat message, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = time.GetUtcNow();
        var known = await db.Gateways.Where(g => g.Id == gatewayId).ExecuteUpdateAsync(g => g
            .SetProperty(r => r.LastSeen, now)
            .SetProperty(r => r.AgentVersion, Short(message.AgentVersion))
            .SetProperty(r => r.Capabilities, Known(message.Capabilities))
            .SetProperty(r => r.FactsRevision, message.FactsRevision)
            .SetProperty(r => r.AppliedRevision, message.AppliedRevision)
            .SetProperty(r => r.HeldEpoch, message.KeyEpoch)
            .SetProperty(r => r.UsedKey, Key(message.Key))
            .SetProperty(r => r.OfferedKey, Key(message.NextKey))
            .SetProperty(r => r.TunnelsConnected, message.TunnelsConnected)
            .SetProperty(r => r.TunnelsWanted, message.TunnelsWanted), cancellationToken);
        if (known == 0)
        {
            return;
        }

        var mesh = await db.Mesh.Select(m => new
        {
            m.PublishedRevision,
            Newest = db.KeyEpochs.Max(e => (int?)e.Epoch) ?? 0,
            Fact = db.Gateways.Where(g => g.Id == gatewayId).Select(g => g.KeyEpoch).FirstOrDefault(),
            KeysChange = db.Gateways.Any(g => g.KeyChangeAt != null),
        }).SingleAsync(cancellationToken);
        if ((message.KeyEpoch ?? 0) != mesh.Fact || (message.KeyEpoch is { } held && (held != mesh.Newest || held == 0)))
        {
            keys.Wake();
        }

        if (mesh.KeysChange)
        {
            deviceKeys.Wake();
        }

        if (message.FactsRevision < settled.Observe(mesh.PublishedRevision))
        {
            // It missed something and does not know: nothing published since. A snapshot heals whatever it was.
            // What was published just now may still be on its way, and is left that time.
            LogBehind(log, gatewayId, message.FactsRevision, mesh.PublishedRevision);
            await SendSnapshotAsync(gatewayId, cancellationToken);
        }
    }

    public async Task OnFactsRequestedAsync(string gatewayId, RequestFacts message, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (await db.Gateways.AnyAsync(g => g.Id == gatewayId, cancellationToken))
        {
            await SendSnapshotAsync(gatewayId, cancellationToken);
        }
    }

    public async Task OnGatewayReportedAsync(string gatewayId, GatewayReported message, CancellationToken cancellationToken)
    {
        await using var outer = await contexts.CreateDbContextAsync(cancellationToken);
        var (moved, hasOtherAddresses) = (false, false);
        await outer.Database.CreateExecutionStrategy().ExecuteAsync(async token =>
        {
            await using var db = await contexts.CreateDbContextAsync(token);
            await using var transaction = await db.Database.BeginTransactionAsync(token);
            // One report of a gateway after the other: two that found the same old state would both tell of its change.
            await db.Database.ExecuteSqlAsync($"SELECT 1 FROM gateways WHERE id = {gatewayId} FOR NO KEY UPDATE", token);
            var gateway = await db.Gateways.Include(g => g.Cluster).SingleOrDefaultAsync(g => g.Id == gatewayId, token);
            if (gateway is not null && !IsOlder(message.Session, message.Number, gateway.ReportSession, gateway.ReportNumber))
            {
                moved = await StoreReportAsync(db, gateway, message, time.GetUtcNow(), token);
                hasOtherAddresses = gateway.Endpoints.Count == 0 && message.Actual is { } actual && !gateway.PrivateEndpoints.SequenceEqual(PrivateEndpoints(gateway, actual));
                await db.SaveChangesAsync(token);
                await transaction.CommitAsync(token);
            }
        }, cancellationToken);
        if (moved)
        {
            hidden.Wake();
        }

        if (hasOtherAddresses)
        {
            await StoreAddressesAsync(gatewayId, message.Actual!, cancellationToken);
        }
    }

    /// <summary>Of a gateway that can only dial out they are facts: whoever is in the same network may reach it there.</summary>
    Task StoreAddressesAsync(string gatewayId, GatewayActual actual, CancellationToken cancellationToken) => facts.ChangeAsync(async change =>
    {
        if (await change.Db.Gateways.SingleOrDefaultAsync(g => g.Id == gatewayId, cancellationToken) is { } gateway)
        {
            gateway.PrivateEndpoints = PrivateEndpoints(gateway, actual);
            change.Touch(await FactsStore.Clusters(change.Db).SingleAsync(c => c.Id == gateway.ClusterId, cancellationToken));
        }

        return true;
    }, cancellationToken);

    static List<string> PrivateEndpoints(GatewayRow gateway, GatewayActual actual) => actual.Addresses.Where(a => a.IsIPv4 && a.Length == a.MaxLength && IsHost(a.Address)).Take(MostAddresses)
        .Select(a => $"{new UdpEndpoint(a.Address, gateway.ListenPort)}").ToList();

    // Others will send there: to a host, and to nobody else (RFC 1122, 3.2.1.3).
    static bool IsHost(IPAddress address) => address.GetAddressBytes()[0] is not (0 or 127 or >= 224);

    public async Task OnInventoryReportedAsync(string gatewayId, InventoryReported message, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (!await db.Gateways.AnyAsync(g => g.Id == gatewayId, cancellationToken))
        {
            return;
        }

        await facts.ChangeAsync(async change =>
        {
            var gateway = await change.Db.Gateways.SingleOrDefaultAsync(g => g.Id == gatewayId, cancellationToken);
            if (gateway is not null && !IsOlder(message.Session, message.Number, gateway.InventorySession, gateway.InventoryNumber))
            {
                (gateway.InventorySession, gateway.InventoryNumber) = (Short(message.Session ?? ""), message.Number);
                var cluster = await FactsStore.Clusters(change.Db).SingleAsync(c => c.Id == gateway.ClusterId, cancellationToken);
                if (Refused(message) is { } reason)
                {
                    // What is known stays; whoever looks at the cluster sees why it does not change.
                    cluster.Findings = [new Finding(FindingSeverity.Error, "inventory-refused", $"cluster/{cluster.Name}", $"The inventory that {gateway.Name} reported cannot be used: {reason}.", "Correct the inventory file, or upgrade the agent.")];
                    LogRefused(log, gatewayId, reason);
                    return true;
                }

                await ClusterChanges.DescribeAsync(change, cluster, message.Inventory, $"agent/{cluster.Name}/{gateway.Name}", cancellationToken);
            }

            return true;
        }, cancellationToken);
    }

    // An agent is trusted no more than a person: the same rules hold for both.
    static string? Refused(InventoryReported message)
    {
        var errors = new FieldErrors();
        Fields.Inventory(InventoryDocument.Of(message.Inventory), "", null, errors);
        Fields.Check(message.Inventory.Networking, "/networking", errors);
        return errors.Text;
    }

    public async Task OnProbeCompletedAsync(string gatewayId, ProbeCompleted message, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var results = JsonSerializer.Serialize(message.Results, MeshJson.Options);
        // Only a gateway that was asked has a row to answer in.
        await db.ProbeAnswers.Where(a => a.ProbeId == message.ProbeId && a.GatewayId == gatewayId)
            .ExecuteUpdateAsync(a => a.SetProperty(r => r.Results, results), cancellationToken);
    }

    // Several are handled at once, so the later one may be stored first.
    static bool IsOlder(string? session, long number, string lastSession, long lastNumber) => session is not null && lastSession == Short(session) && number < lastNumber;

    /// <summary>True when a gateway that can only dial out is seen elsewhere, or again, or no longer.</summary>
    static Task<bool> StoreReportAsync(MeshDbContext db, GatewayRow gateway, GatewayReported message, DateTimeOffset now, CancellationToken cancellationToken)
    {
        gateway.LastSeen = now;
        gateway.AgentVersion = Short(message.AgentVersion);
        gateway.Capabilities = Known(message.Capabilities);
        gateway.Backend = Short(message.Backend);
        gateway.FactsRevision = message.FactsRevision;
        gateway.AppliedRevision = message.AppliedRevision;
        gateway.Findings = message.Findings;
        (gateway.ReportSession, gateway.ReportNumber) = (Short(message.Session ?? ""), message.Number);
        if (message.Complete)
        {
            gateway.Actual = message.Actual is null ? null : JsonSerializer.Serialize(message.Actual, MeshJson.Options);
            gateway.ReportedAt = now;
        }

        return StoreTunnelsAsync(db, gateway, message, now, cancellationToken);
    }

    static async Task<bool> StoreTunnelsAsync(MeshDbContext db, GatewayRow gateway, GatewayReported message, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await db.TunnelReports.Where(r => r.GatewayId == gateway.Id).ToDictionaryAsync(r => (r.PeerCluster, r.PeerGateway), cancellationToken);
        var peers = await PeersAsync(db, gateway, message, cancellationToken);
        var moved = false;
        foreach (var report in message.Tunnels.DistinctBy(t => (t.PeerCluster, t.PeerGateway)))
        {
            if (!peers.TryGetValue((report.PeerCluster, report.PeerGateway), out var isHidden))
            {
                // Removed meanwhile, or made up.
                continue;
            }

            if (!rows.Remove((report.PeerCluster, report.PeerGateway), out var row))
            {
                row = new TunnelReportRow { GatewayId = gateway.Id, PeerCluster = report.PeerCluster, PeerGateway = report.PeerGateway, Report = report, State = TunnelState.Connecting };
                db.TunnelReports.Add(row);
            }

            db.Events.AddRange(TunnelEvents.Of($"{gateway.Cluster!.Name}/{gateway.Name}", row.State, row.Report, report, now));
            moved |= isHidden && gateway.Endpoints.Count > 0 && (row.State != report.State || row.Report.Endpoint != report.Endpoint || db.Entry(row).State == EntityState.Added);
            row.Report = report;
            row.State = report.State;
            row.ReportedAt = now;
        }

        if (message.Complete)
        {
            db.TunnelReports.RemoveRange(rows.Values);
        }

        return moved;
    }

    /// <summary>Those that the message names and that there are: nobody else can be at the far end of a tunnel. True: it can only dial out.</summary>
    static async Task<Dictionary<(string Cluster, string Gateway), bool>> PeersAsync(MeshDbContext db, GatewayRow gateway, GatewayReported message, CancellationToken cancellationToken)
    {
        var names = message.Tunnels.Select(t => t.PeerCluster).Distinct().ToArray();
        var peers = await db.Gateways.Where(g => g.ClusterId != gateway.ClusterId && names.Contains(g.Cluster!.Name))
            .Select(g => new { Cluster = g.Cluster!.Name, g.Name, IsHidden = g.Endpoints.Count == 0 }).ToListAsync(cancellationToken);
        return peers.ToDictionary(p => (p.Cluster, p.Name), p => p.IsHidden);
    }

    async Task SendSnapshotAsync(string gatewayId, CancellationToken cancellationToken) =>
        await post.SendAsync(gatewayId, new FactsSnapshot(await facts.LoadAsync(cancellationToken)), cancellationToken);

    // What is no key is taken for none.
    static string? Key(string? text) => PublicKey.TryParse(text, out var key) && key.IsUsable ? text : null;

    // Others are of a later version than this.
    static List<string> Known(ValueList<string>? capabilities) => AgentCapabilities.Own.Where(c => capabilities?.Contains(c) == true).ToList();

    static string Short(string text) => text.Length <= 64 ? text : text[..64];

    [LoggerMessage(1304, LogLevel.Warning, "Gateway {GatewayId} reported an inventory that cannot be used: {Reason}")]
    static partial void LogRefused(ILogger logger, string gatewayId, string reason);

    [LoggerMessage(1301, LogLevel.Information, "Gateway {GatewayId} holds facts {Has} of {Published}: sending a snapshot")]
    static partial void LogBehind(ILogger logger, string gatewayId, long has, long published);
}
