using MeshFabric.Control.Api;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>What happens to gateways, each inside a <see cref="FactsChange"/>.</summary>
public static class GatewayChanges
{
    public static async Task<EnrolledGateway> EnrolAsync(FactsChange change, ClusterRow cluster, GatewayRequest request, Caller caller, CancellationToken cancellationToken)
    {
        if (request.IsLeaf)
        {
            LeafChanges.Check(cluster, request);
        }

        var replaced = new List<string>();
        if (cluster.Gateways.Find(g => g.Name == request.Name) is { } same)
        {
            // Whose turn it is was decided by a lease where the agents choose among themselves.
            if (!request.TakesOver && change.Now - (same.LastSeen ?? same.CreatedAt) < Liveness.Limit)
            {
                throw Refusal.Conflict("gateway-exists", $"Cluster {cluster.Name} has a gateway named '{request.Name}' already, and its agent is alive. Choose another name, or remove it first: mfctl gateway remove {cluster.Name}/{same.Name}");
            }

            // A machine that was set up anew: its predecessor's identity ends here.
            replaced.Add(same.Id);
            change.Event("gateway-replaced", "warning", $"gateway/{cluster.Name}/{same.Name}", caller.Actor, $"Gateway {same.Name} of {cluster.Name} was enrolled again; the old one, last heard of {same.LastSeen ?? same.CreatedAt:u}, is cut off.");
            await change.RemoveAsync(cluster, same, cancellationToken);
            await change.Db.SaveChangesAsync(cancellationToken);
        }

        var isNew = replaced.Count == 0;
        if (!request.IsLeaf && await LeafChanges.BecameGatewayAsync(change, cluster, request.Node, cancellationToken) is { Count: > 0 } leaves)
        {
            // It has the same key when it was told nothing of its enrolment.
            replaced.AddRange(leaves);
            await change.Db.SaveChangesAsync(cancellationToken);
        }

        var key = request.PublicKey.ToString();
        if (await change.Db.Gateways.AnyAsync(g => g.PublicKey == key || g.NextKey == key, cancellationToken))
        {
            throw Refusal.Conflict("key-in-use", "Another gateway has this public key: two machines must not share one. Delete device.key from the state directory and join again.");
        }

        if (!request.IsLeaf)
        {
            await change.RenumberAsync(isNew ? cluster : null, cancellationToken);
        }

        var row = await AddAsync(change, cluster, request, cancellationToken);
        change.Event("gateway-enrolled", "info", $"gateway/{cluster.Name}/{row.Name}", caller.Actor, $"Gateway {row.Name} of {cluster.Name} enrolled.");
        change.Audit(caller, "gateway.enrol", $"gateway/{cluster.Name}/{row.Name}", null, FactsChange.Json(row.ToFacts()));
        return new EnrolledGateway(row, replaced);
    }

    static async Task<GatewayRow> AddAsync(FactsChange change, ClusterRow cluster, GatewayRequest request, CancellationToken cancellationToken)
    {
        var ordinal = request.IsLeaf ? GatewayFacts.LeafOrdinal : Enumerable.Range(0, GatewayFacts.MaxPerCluster).Except(cluster.Gateways.Select(g => g.Ordinal)).DefaultIfEmpty(-1).First();
        if (ordinal < 0)
        {
            throw Refusal.Conflict("too-many-gateways", $"Cluster {cluster.Name} has {GatewayFacts.MaxPerCluster} gateways already, which is the most there can be.");
        }

        var taken = await change.Db.Gateways.Select(g => g.TunnelAddresses).ToListAsync(cancellationToken);
        var row = new GatewayRow
        {
            Id = request.Id,
            ClusterId = cluster.Id,
            Name = request.Name,
            Ordinal = ordinal,
            Node = request.Node,
            PublicKey = request.PublicKey.ToString(),
            ListenPort = request.ListenPort,
            Endpoints = request.Endpoints.Select(e => e.ToString()).ToList(),
            TunnelAddresses = AddressPlanner.TunnelAddresses(change.Settings, taken.SelectMany(t => t).Select(t => t.ToCidr())).Select(c => c.ToNetwork()).ToList(),
            CreatedAt = change.Now,
            AgentVersion = request.AgentVersion,
            JoinTokenId = request.JoinTokenId,
        };
        change.Db.Gateways.Add(row);
        if (!cluster.Gateways.Contains(row))
        {
            cluster.Gateways.Add(row);
        }

        change.Touch(cluster);
        return row;
    }

    /// <summary>Takes traffic off a gateway, or gives it its share again.</summary>
    public static async Task<GatewayRow> DrainGatewayAsync(FactsChange change, string cluster, string name, bool drained, Caller caller, CancellationToken cancellationToken)
    {
        var row = await change.ClusterAsync(cluster, cancellationToken);
        var gateway = row.Gateways.Find(g => g.Name == name) ?? throw Refusal.NotFound("gateway", $"{cluster}/{name}");
        if (gateway.Drained == drained)
        {
            return gateway;
        }

        var before = FactsChange.Json(gateway.ToFacts());
        gateway.Drained = drained;
        change.Touch(row);
        change.Event(drained ? "gateway-drained" : "gateway-undrained", "info", $"gateway/{cluster}/{name}", caller.Actor,
            drained ? $"Gateway {name} of {cluster} is drained: it carries nothing while another one can." : $"Gateway {name} of {cluster} carries its share again.");
        change.Audit(caller, "gateway.update", $"gateway/{cluster}/{name}", before, FactsChange.Json(gateway.ToFacts()));
        return gateway;
    }

    /// <summary>Says where others dial a gateway from now on: its address changed, or another one leads to it as well. Sessions go on for as long as they answer.</summary>
    public static async Task MoveGatewayAsync(FactsChange change, string cluster, string name, IReadOnlyList<UdpEndpoint> endpoints, Caller caller, CancellationToken cancellationToken)
    {
        var row = await change.ClusterAsync(cluster, cancellationToken);
        var gateway = row.Gateways.Find(g => g.Name == name) ?? throw Refusal.NotFound("gateway", $"{cluster}/{name}");
        if (gateway.Endpoints.Count == 0)
        {
            throw Refusal.Conflict("gateway-outbound-only", $"Gateway {cluster}/{name} was enrolled as one that can only dial out, and finds its ways by itself. Remove it and join it again with --endpoint for it to be dialled.");
        }

        var texts = endpoints.Select(e => e.ToString()).Distinct().ToList();
        if (gateway.Endpoints.SequenceEqual(texts))
        {
            return;
        }

        var before = FactsChange.Json(gateway.ToFacts());
        gateway.Endpoints = texts;
        change.Touch(row);
        change.Event("gateway-moved", "info", $"gateway/{cluster}/{name}", caller.Actor, $"Gateway {name} of {cluster} is dialled at {string.Join(", ", texts)} from now on.");
        change.Audit(caller, "gateway.update", $"gateway/{cluster}/{name}", before, FactsChange.Json(gateway.ToFacts()));
    }

    public static async Task<string> RemoveGatewayAsync(FactsChange change, string cluster, string name, Caller caller, CancellationToken cancellationToken)
    {
        var row = await change.ClusterAsync(cluster, cancellationToken);
        var gateway = row.Gateways.Find(g => g.Name == name) ?? throw Refusal.NotFound("gateway", $"{cluster}/{name}");
        change.Audit(caller, "gateway.remove", $"gateway/{cluster}/{name}", FactsChange.Json(gateway.ToFacts()), null);
        change.Event("gateway-removed", "info", $"gateway/{cluster}/{name}", caller.Actor, $"Gateway {name} of {cluster} was removed and is cut off.");
        await change.RemoveAsync(row, gateway, cancellationToken);
        return gateway.Id;
    }
}

/// <summary>A checked enrolment.</summary>
/// <param name="Id">Of the gateway to be: its broker identity is made before its row.</param>
/// <param name="TakesOver">It may take the place of a gateway of its name whose agent is alive.</param>
public sealed record GatewayRequest(string Id, string Name, PublicKey PublicKey, int ListenPort, IReadOnlyList<UdpEndpoint> Endpoints, string AgentVersion, string JoinTokenId, bool TakesOver)
{
    /// <summary>As of <see cref="CreateEnrolment.Node"/>; empty without one.</summary>
    public string Node { get; init; } = "";

    /// <summary>As of <see cref="CreateEnrolment.Leaf"/>.</summary>
    public bool IsLeaf { get; init; }
}

/// <param name="Replaced">Ids of those that this one took the place of: the gateway of its name, the leaf of its node.</param>
public sealed record EnrolledGateway(GatewayRow Row, IReadOnlyList<string> Replaced);
