using MeshFabric.Control.Setup;
using MeshFabric.ServiceDefaults;

namespace MeshFabric.Control.Api;

public static class ApiSetup
{
    /// <summary>Every route of the service.</summary>
    public static void MapMeshApi(this WebApplication app)
    {
        var api = app.MapGroup(Contracts.Http.Api.Prefix).RequireAuthorization(Roles.Viewer);
        api.MapClusters();
        api.MapGateways();
        api.MapTunnels();
        api.MapLinks();
        api.MapAddresses();
        api.MapJoinTokens();
        api.MapApiTokens();
        api.MapUsers();
        api.MapEvents();
        api.MapMesh();
        api.MapKeys();
        api.MapManifests();
        api.MapProbes();
        api.MapEnrolments();
        app.MapPublic();
        app.MapHealth();
        app.MapMeshMetrics();
        app.MapOpenApi("/openapi/{documentName}.json");
    }
}
