using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain.Planning;
using MeshFabric.Persistence;

namespace MeshFabric.Control.Api;

/// <summary><c>/gateways</c>: look at, explain, drain, remove. They come into being by enrolment.</summary>
public static class GatewaysApi
{
    public static void MapGateways(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/gateways").WithTags("Gateways");
        group.MapGet("", ListAsync).WithName("ListGateways").WithSummary("All gateways; ?cluster= filters");
        group.MapGet("/{cluster}/{name}", GetAsync).WithName("GetGateway");
        group.MapGet("/{cluster}/{name}/explanation", ExplainAsync).WithName("ExplainGateway")
            .WithSummary("What the gateway should run, what it was last seen running, and how they differ");
        group.MapPatch("/{cluster}/{name}", UpdateAsync).WithName("UpdateGateway").RequireAuthorization(Roles.Operator)
            .WithSummary("Drains a gateway, or gives it its share again; says where others dial it");
        group.MapDelete("/{cluster}/{name}", RemoveAsync).WithName("RemoveGateway").RequireAuthorization(Roles.Operator);
    }

    static async Task<Page<GatewayResource>> ListAsync(Paging paging, string? cluster, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        var all = view.Clusters.Where(c => cluster is null || c.Name == cluster)
            .SelectMany(c => c.Gateways.Select(g => (Key: $"{c.Name}/{g.Name}", Row: g)))
            .OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        return paging.Cut(all, g => g.Key, g => view.Show(g.Row));
    }

    static async Task<GatewayResource> GetAsync(string cluster, string name, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        return view.Show(view.Gateway(cluster, name));
    }

    static async Task<GatewayExplanation> ExplainAsync(string cluster, string name, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        var row = view.Gateway(cluster, name);
        var wanted = MeshPlanner.Plan(view.Facts, row.ClusterId, row.Id);
        var actual = row.Actual is null ? null : JsonSerializer.Deserialize<GatewayActual>(row.Actual, MeshJson.Lenient);
        return new GatewayExplanation(cluster, name, wanted, actual, row.ReportedAt, actual is null ? ["The agent has not reported its host yet."] : Explanation.Differences(wanted, actual));
    }

    static async Task<GatewayResource> UpdateAsync(string cluster, string name, Body<UpdateGateway> body, HttpContext context, FactsStore facts, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var (drained, given) = (body.Value.Spec?.Drained, body.Value.Spec?.Endpoints);
        if (drained is null && given is null)
        {
            errors.Add("/spec", "drained (true or false) or endpoints is needed: it is all that can be changed");
        }

        var endpoints = Fields.Endpoints(given, "/spec/endpoints", errors);
        if (given is { Count: 0 })
        {
            errors.Add("/spec/endpoints", "at least one is needed: a gateway that can only dial out is enrolled without any");
        }

        errors.ThrowIfAny();
        var caller = TokenAuthentication.CallerOf(context);
        await facts.ChangeAsync(async change =>
        {
            if (given is not null)
            {
                await GatewayChanges.MoveGatewayAsync(change, cluster, name, endpoints, caller, cancellationToken);
            }

            return drained is null || (await GatewayChanges.DrainGatewayAsync(change, cluster, name, drained.Value, caller, cancellationToken)).Drained;
        }, cancellationToken);
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        return view.Show(view.Gateway(cluster, name));
    }

    static async Task<IResult> RemoveAsync(string cluster, string name, HttpContext context, FactsStore facts, CutOff cutOff, CancellationToken cancellationToken)
    {
        var caller = TokenAuthentication.CallerOf(context);
        var id = await facts.ChangeAsync(change => GatewayChanges.RemoveGatewayAsync(change, cluster, name, caller, cancellationToken), cancellationToken);
        await cutOff.RunAsync([id], new LeaveMesh($"Gateway {cluster}/{name} was removed from the mesh."));
        return TypedResults.NoContent();
    }
}
