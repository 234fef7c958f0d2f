using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Persistence;

namespace MeshFabric.Control.Api;

/// <summary>Writes audit records beside the change they are about, in its own transaction. Never secrets.</summary>
public static class AuditLog
{
    public static void Add(MeshDbContext db, Caller caller, DateTimeOffset at, string action, string target, object? before, object? after) => db.Audit.Add(new AuditRow
    {
        At = at,
        Actor = caller.Actor,
        Action = action,
        Target = target,
        Before = Json(before),
        After = Json(after),
        RequestId = caller.RequestId,
        RemoteAddress = caller.RemoteAddress,
    });

    static string? Json(object? value) => value is null ? null : JsonSerializer.Serialize(value, MeshJson.Options);
}
