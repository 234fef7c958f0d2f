using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Messaging;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Api;

/// <summary><c>/probes</c>: measures the tunnels between two clusters, from both sides.</summary>
public static class ProbesApi
{
    // Beyond the measuring itself: the way there and back by the broker.
    static readonly TimeSpan Slack = TimeSpan.FromSeconds(15);

    public static void MapProbes(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/probes").WithTags("Probes");
        group.MapPost("", CreateAsync).WithName("CreateProbe").RequireAuthorization(Roles.Operator);
        group.MapGet("/{id}", GetAsync).WithName("GetProbe");
    }

    static async Task<IResult> CreateAsync(Body<CreateProbe> body, MeshDbContext db, IAgentPost post, TimeProvider time, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var from = Fields.Name(body.Value.From, "/from", errors);
        var to = Fields.Name(body.Value.To, "/to", errors);
        var count = Fields.Number(body.Value.Count, 1, 100, 4, "/count", errors);
        var interval = Fields.Number(body.Value.IntervalMilliseconds, 10, 10_000, 200, "/intervalMilliseconds", errors);
        var payload = Fields.Number(body.Value.PayloadBytes, 8, 8_000, 56, "/payloadBytes", errors);
        if (from == to && from.Length > 0)
        {
            errors.Add("/to", "another cluster than /from is needed");
        }

        errors.ThrowIfAny();
        var near = await GatewaysAsync(db, from, cancellationToken);
        var far = await GatewaysAsync(db, to, cancellationToken);
        var now = time.GetUtcNow();
        var row = new ProbeRow { Id = Ids.New("p"), FromCluster = from, ToCluster = to, CreatedAt = now, Deadline = now + Slack + TimeSpan.FromMilliseconds((double)count * interval) };
        foreach (var gateway in near.Concat(far))
        {
            row.Answers.Add(new ProbeAnswerRow { ProbeId = row.Id, GatewayId = gateway.Id, Cluster = gateway.Cluster!.Name, Gateway = gateway.Name });
        }

        db.Probes.Add(row);
        await db.SaveChangesAsync(cancellationToken);
        await Task.WhenAll(near.Select(g => post.SendAsync(g.Id, new ProbeTunnels(row.Id, to, count, interval, payload), cancellationToken))
            .Concat(far.Select(g => post.SendAsync(g.Id, new ProbeTunnels(row.Id, from, count, interval, payload), cancellationToken))));
        return TypedResults.Accepted($"{Contracts.Http.Api.Prefix}/probes/{row.Id}", Show(row, now));
    }

    static async Task<ProbeResource> GetAsync(string id, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var row = await db.Probes.AsNoTracking().Include(p => p.Answers).SingleOrDefaultAsync(p => p.Id == id, cancellationToken);
        return row is null ? throw Refusal.NotFound("probe", id) : Show(row, time.GetUtcNow());
    }

    static async Task<List<GatewayRow>> GatewaysAsync(MeshDbContext db, string cluster, CancellationToken cancellationToken)
    {
        var row = await db.Clusters.Include(c => c.Gateways).AsNoTracking().SingleOrDefaultAsync(c => c.Name == cluster, cancellationToken) ?? throw Refusal.NotFound("cluster", cluster);
        return row.Gateways.Count > 0 ? row.Gateways : throw Refusal.Conflict("no-gateway", $"Cluster {cluster} has no gateway yet that could measure. Enrol one: mfctl token create --cluster {cluster}");
    }

    static ProbeResource Show(ProbeRow row, DateTimeOffset now) => new(
        row.Id,
        row.FromCluster,
        row.ToCluster,
        row.Answers.TrueForAll(a => a.Results is not null) ? "completed" : now > row.Deadline ? "failed" : "running",
        row.CreatedAt,
        row.Answers.OrderBy(a => a.Cluster == row.FromCluster ? 0 : 1).ThenBy(a => a.Gateway, StringComparer.Ordinal).Select(a => new ProbeGatewayResult(
            a.Cluster,
            a.Gateway,
            a.Results is not null,
            a.Results is null ? [] : JsonSerializer.Deserialize<ValueList<ProbeResult>>(a.Results, MeshJson.Lenient)!)).ToList());
}
