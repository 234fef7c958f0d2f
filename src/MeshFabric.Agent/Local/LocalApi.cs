using MeshFabric.Agent.Reconciling;
using MeshFabric.Contracts.Http;
using MeshFabric.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace MeshFabric.Agent.Local;

/// <summary>What an agent answers on its own host: by a socket in the state directory for root, by TCP (metrics and health only) for Prometheus and probes.</summary>
public static class LocalApi
{
    public const string StatusPath = "/status";

    public static void MapLocalApi(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapMeshMetrics();
        endpoints.MapGet("/livez", () => TypedResults.Text("ok\n"));
        endpoints.MapGet("/readyz", Ready);
        // Endpoints of peers and findings are nobody's business but root's: not by TCP.
        endpoints.MapGet(StatusPath, (HttpContext context, AgentView view, GatewayRole gateway) => context.Connection.LocalPort == 0 ? Results.Json(Status(view, gateway), MeshJson.Options) : Results.NotFound());
    }

    static IResult Ready(AgentView view) => WhyNotReady(view.Status) is { } reason
        ? TypedResults.Text($"not ready: {reason}\n", statusCode: StatusCodes.Status503ServiceUnavailable)
        : TypedResults.Text("ok\n");

    // On a Kubernetes node the gateway's part counts once this node is one.
    static string? WhyNotReady(AgentStatus status) =>
        status.Error.Length > 0 ? status.Error
        : status.Node is { Error.Length: > 0 } broken ? broken.Error
        : status.Node is { Applied: false } ? "the cluster's API was not read yet"
        : status.AppliedRevision == 0 && (status.Node is null || status.Gateway.Length > 0) ? "not enrolled, or nothing applied yet"
        : null;

    static AgentStatus Status(AgentView view, GatewayRole gateway) => view.Status with
    {
        ControlConnected = gateway.ControlConnected,
        InventoryError = gateway.InventoryFailure ?? "",
    };
}
