using System.Net;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Persistence;

// The only mutable shapes. Each says how it becomes the record that planners and the API use.

/// <summary>The one row of the mesh; locked first by whatever changes facts, so revisions have no gaps and allocation is serial.</summary>
public sealed class MeshRow
{
    public const int OnlyId = 1;

    public int Id { get; set; } = OnlyId;
    public long Revision { get; set; }

    /// <summary>Facts up to here were handed to the fan-out.</summary>
    public long PublishedRevision { get; set; }

    public Domain.MeshSettings Settings { get; set; } = Domain.MeshSettings.Default;
}

public sealed class ClusterRow
{
    public required string Id { get; set; }
    public required string Name { get; set; }
    public ClusterKind Kind { get; set; }
    public string Provider { get; set; } = "";
    public string Region { get; set; } = "";
    public string Zone { get; set; } = "";

    /// <summary>As its inventory tells.</summary>
    public Dictionary<string, string> Labels { get; set; } = [];

    /// <summary>As somebody declared them in the mesh: they go before those of the inventory, and stay when that changes.</summary>
    public Dictionary<string, string> DeclaredLabels { get; set; } = [];

    public List<IPNetwork> ServiceCidrs { get; set; } = [];

    /// <summary>As of <see cref="ClusterFacts.Beacons"/>, host prefixes.</summary>
    public List<IPNetwork> Beacons { get; set; } = [];

    /// <summary>The Service CIDRs are part of the mesh.</summary>
    public bool AdvertisesServices { get; set; }

    /// <summary>Where its tunnels end.</summary>
    public Granularity Granularity { get; set; }

    public string KubernetesVersion { get; set; } = "";
    public ValueList<NodeInventory> Nodes { get; set; } = [];

    /// <summary>Null until an agent that can tell it reported.</summary>
    public ClusterNetworking? Networking { get; set; }

    public ValueList<Finding> Findings { get; set; } = [];
    public long FactsRevision { get; set; }
    public DateTimeOffset CreatedAt { get; set; }
    public uint Version { get; set; }

    public List<PrefixRow> Prefixes { get; } = [];
    public List<GatewayRow> Gateways { get; } = [];

    public ClusterFacts ToFacts() => new(
        Id,
        Name,
        FactsRevision,
        Kind,
        new ClusterLocation(Provider, Region, Zone),
        Labels.Where(l => !DeclaredLabels.ContainsKey(l.Key)).Concat(DeclaredLabels).OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => new Label(l.Key, l.Value)).ToValueList(),
        ToPrefixes(),
        Gateways.OrderBy(g => g.Ordinal).ThenBy(g => g.Name, StringComparer.Ordinal).Select(g => g.ToFacts() with { Pods = PodsOf(g) }).ToValueList())
    {
        Declared = DeclaredLabels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => new Label(l.Key, l.Value)).ToValueList(),
        Beacons = Beacons.Select(b => b.ToCidr()).Order().ToValueList(),
        Granularity = Granularity,
    };

    // As the inventory tells. Those that are no part of the cluster's prefixes are of no use to others. A leaf has its own until it is gone, for it sends until it has left.
    ValueList<Cidr> PodsOf(GatewayRow gateway) => (Granularity != Granularity.Node && !gateway.IsLeaf) || gateway.Node.Length == 0
        ? []
        : (Nodes.FirstOrDefault(n => n.Name == gateway.Node)?.PodCidrs ?? []).Where(p => Prefixes.Any(own => !own.Services && own.Local.ToCidr().Contains(p)) && !IsShared(gateway.Node, p)).Distinct().Order().ToValueList();

    // What another node has a part of, or has as well (Calico lends addresses; blocks move), goes by the gateways, which know the way to each.
    bool IsShared(string node, Cidr prefix) => Nodes.Any(n => n.Name != node && n.PodCidrs.Any(prefix.Contains));

    public ValueList<MeshPrefix> ToPrefixes()
    {
        var aliases = Prefixes.Where(p => p.Role == PrefixRole.Alias).ToDictionary(p => p.Local, p => p.Mesh.ToCidr());
        return Prefixes.Where(p => p.Role == PrefixRole.Primary)
            .Select(p => new MeshPrefix(p.Local.ToCidr(), p.Mesh.ToCidr(), aliases.GetValueOrDefault(p.Local)) { Services = p.Services })
            .OrderBy(p => p.Local)
            .ToValueList();
    }
}

/// <summary>A cluster that left, so that its removal can be published and its name told.</summary>
public sealed class TombstoneRow
{
    public required string ClusterId { get; set; }
    public required string Name { get; set; }
    public long Revision { get; set; }
    public DateTimeOffset RemovedAt { get; set; }
}

/// <summary>A gateway that was removed or replaced: an agent that was away when it was told to leave is told when it asks.</summary>
public sealed class RemovedGatewayRow
{
    public required string GatewayId { get; set; }

    /// <summary>CLUSTER/GATEWAY, for people.</summary>
    public required string Name { get; set; }

    public DateTimeOffset RemovedAt { get; set; }
}

public enum PrefixRole
{
    Primary,
    Alias,
}

/// <summary>A prefix in use; no two rows overlap in <see cref="Mesh"/>: the database itself refuses that.</summary>
public sealed class PrefixRow
{
    public long Id { get; set; }
    public required string ClusterId { get; set; }
    public PrefixRole Role { get; set; }
    public IPNetwork Local { get; set; }
    public IPNetwork Mesh { get; set; }

    /// <summary>A Service CIDR.</summary>
    public bool Services { get; set; }
}

public sealed class GatewayRow
{
    public required string Id { get; set; }
    public required string ClusterId { get; set; }
    public ClusterRow? Cluster { get; set; }
    public required string Name { get; set; }
    public int Ordinal { get; set; }

    /// <summary>The Kubernetes node that it is on; empty where its agent did not tell, and on other hosts.</summary>
    public string Node { get; set; } = "";

    public bool IsLeaf => Ordinal == GatewayFacts.LeafOrdinal;

    public required string PublicKey { get; set; }
    public int ListenPort { get; set; }
    public List<string> Endpoints { get; set; } = [];
    public List<IPNetwork> TunnelAddresses { get; set; } = [];

    /// <summary>As of <see cref="GatewayFacts.Drained"/>.</summary>
    public bool Drained { get; set; }

    // As of GatewayFacts: what its agent and others' told of the way to it.
    public List<string> PrivateEndpoints { get; set; } = [];
    public ValueList<ObservedEndpoint> ObservedEndpoints { get; set; } = [];
    public ValueList<RelayFacts> Relays { get; set; } = [];

    /// <summary>As of <see cref="GatewayFacts.KeyEpoch"/>.</summary>
    public int KeyEpoch { get; set; }

    // As of GatewayFacts: the key that takes the place of PublicKey.
    public string? NextKey { get; set; }
    public bool ChangesKey { get; set; }

    /// <summary>Somebody, or the calendar, wants another key; null: nobody.</summary>
    public DateTimeOffset? KeyAskedAt { get; set; }

    /// <summary>Who wants it.</summary>
    public string KeyAskedBy { get; set; } = "";

    /// <summary>It is being changed since then, and the gateway drained for it; null: it waits for its turn, or nobody wants another key.</summary>
    public DateTimeOffset? KeyChangeAt { get; set; }

    /// <summary>Revision that everybody must have made true before the change goes on.</summary>
    public long KeyChangeRevision { get; set; }

    /// <summary>Since when it has the key that it has; null: since it enrolled.</summary>
    public DateTimeOffset? KeySince { get; set; }

    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>The join token that admitted it: the same agent may ask again when an answer was lost.</summary>
    public string JoinTokenId { get; set; } = "";

    // What its agent last said; not facts, so no revision changes with them.
    public DateTimeOffset? LastSeen { get; set; }
    public bool Reachable { get; set; }
    public string AgentVersion { get; set; } = "";

    /// <summary>What it says that it knows, of what this service knows of; empty before it said so, and of an agent that says nothing of it.</summary>
    public List<string> Capabilities { get; set; } = [];
    public string Backend { get; set; } = "";
    public long FactsRevision { get; set; }
    public long AppliedRevision { get; set; }

    /// <summary>Epoch of the mesh secret that its agent holds, 0 for none; null: it knows nothing of them.</summary>
    public int? HeldEpoch { get; set; }

    /// <summary>Public key that its devices have, as its agent says; null: it says nothing of keys.</summary>
    public string? UsedKey { get; set; }

    /// <summary>Public key that its agent holds ready.</summary>
    public string? OfferedKey { get; set; }

    public int TunnelsConnected { get; set; }
    public int TunnelsWanted { get; set; }
    public ValueList<Finding> Findings { get; set; } = [];

    // Of the last report and the last inventory that counted, as its agent numbers them; empty: it does not.
    public string ReportSession { get; set; } = "";
    public long ReportNumber { get; set; }
    public string InventorySession { get; set; } = "";
    public long InventoryNumber { get; set; }

    /// <summary>JSON of the agent's last complete reading of its host, or null.</summary>
    public string? Actual { get; set; }

    public DateTimeOffset? ReportedAt { get; set; }

    public GatewayFacts ToFacts() => new(
        Id,
        Name,
        Ordinal,
        Net.PublicKey.Parse(PublicKey),
        ListenPort,
        Endpoints.Select(UdpEndpoint.Parse).ToValueList(),
        TunnelAddresses.Select(a => a.ToCidr()).Order().ToValueList())
    {
        Drained = Drained || KeyChangeAt is not null,
        NextKey = NextKey is null ? null : Net.PublicKey.Parse(NextKey),
        ChangesKey = ChangesKey,
        PrivateEndpoints = PrivateEndpoints.Select(UdpEndpoint.Parse).ToValueList(),
        ObservedEndpoints = ObservedEndpoints,
        Relays = Relays,
        KeyEpoch = KeyEpoch,
    };
}

/// <summary>An epoch of the mesh secret; only the newest one is kept. The secret itself is made from the salt and the CA's key, and is in no database.</summary>
public sealed class KeyEpochRow
{
    /// <summary>From 1.</summary>
    public int Epoch { get; set; }

    public required byte[] Salt { get; set; }

    /// <summary>Tells whether the CA's key is still the one that the secret was made with; null until it was first made.</summary>
    public byte[]? Check { get; set; }

    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>For people.</summary>
    public required string Reason { get; set; }
}

/// <summary>What one gateway last saw of one of its tunnels.</summary>
public sealed class TunnelReportRow
{
    public required string GatewayId { get; set; }
    public required string PeerCluster { get; set; }
    public required string PeerGateway { get; set; }
    public required TunnelReport Report { get; set; }
    public TunnelState State { get; set; }
    public DateTimeOffset ReportedAt { get; set; }
}

public sealed class JoinTokenRow
{
    public required string Id { get; set; }

    /// <summary>SHA-256 of the secret.</summary>
    public required byte[] Hash { get; set; }

    public string Cluster { get; set; } = "";
    public string Description { get; set; } = "";
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary><see cref="Never"/> for a standing token.</summary>
    public DateTimeOffset ExpiresAt { get; set; }

    public DateTimeOffset? RevokedAt { get; set; }

    /// <summary><see cref="Unlimited"/> for a standing token.</summary>
    public int MaxUses { get; set; }

    public int Uses { get; set; }

    /// <summary>In PostgreSQL: infinity. A service that knows nothing of standing tokens reads it right, too.</summary>
    public static readonly DateTimeOffset Never = DateTimeOffset.MaxValue;

    public const int Unlimited = int.MaxValue;

    public bool IsStanding => ExpiresAt == Never && MaxUses == Unlimited;
}

public sealed class ApiTokenRow
{
    public required string Id { get; set; }
    public required string Name { get; set; }

    /// <summary>SHA-256 of the secret.</summary>
    public required byte[] Hash { get; set; }

    public required string Role { get; set; }
    public string Description { get; set; } = "";
    public DateTimeOffset CreatedAt { get; set; }
    public DateTimeOffset? ExpiresAt { get; set; }
    public DateTimeOffset? RevokedAt { get; set; }
    public DateTimeOffset? LastUsedAt { get; set; }
}

public sealed class EventRow
{
    public long Sequence { get; set; }
    public DateTimeOffset At { get; set; }
    public required string Type { get; set; }
    public required string Severity { get; set; }
    public required string Subject { get; set; }
    public required string Actor { get; set; }
    public required string Message { get; set; }
}

/// <summary>Append-only: who changed what, when, from where.</summary>
public sealed class AuditRow
{
    public long Sequence { get; set; }
    public DateTimeOffset At { get; set; }
    public required string Actor { get; set; }
    public required string Action { get; set; }
    public required string Target { get; set; }
    public string? Before { get; set; }
    public string? After { get; set; }
    public string RequestId { get; set; } = "";
    public string RemoteAddress { get; set; } = "";
}

public sealed class ProbeRow
{
    public required string Id { get; set; }
    public required string FromCluster { get; set; }
    public required string ToCluster { get; set; }
    public DateTimeOffset CreatedAt { get; set; }
    public DateTimeOffset Deadline { get; set; }
    public List<ProbeAnswerRow> Answers { get; } = [];
}

public sealed class ProbeAnswerRow
{
    public required string ProbeId { get; set; }
    public required string GatewayId { get; set; }
    public required string Cluster { get; set; }
    public required string Gateway { get; set; }

    /// <summary>JSON of the results; null until the agent answered.</summary>
    public string? Results { get; set; }
}

public static class NetworkExtensions
{
    public static Cidr ToCidr(this IPNetwork network) => Cidr.Of(network.BaseAddress, network.PrefixLength);

    public static IPNetwork ToNetwork(this Cidr cidr) => new(cidr.Address, cidr.Length);
}
