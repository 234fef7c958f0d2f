using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Api;

/// <summary>The keys of the tunnels: pre-shared ones by epochs, and the gateways' own. The keys themselves are nowhere here.</summary>
public static class KeysApi
{
    const int LongestReason = 200;

    public static void MapKeys(this IEndpointRouteBuilder api)
    {
        api.MapGet("/mesh/keys", GetAsync).WithName("GetKeys").WithTags("Mesh").WithSummary("The epoch of the pre-shared keys, who does not have it yet, and whose device key is being changed");
        api.MapPost("/mesh/keys", RenewAsync).WithName("RenewKeys").WithTags("Mesh").RequireAuthorization(Roles.Operator)
            .WithSummary("Renews all pre-shared keys, and all device keys when asked to");
        api.MapPost("/clusters/{name}/device-keys", ChangeAsync).WithName("ChangeDeviceKeys").WithTags("Clusters").RequireAuthorization(Roles.Operator)
            .WithSummary("Changes the device keys of a cluster's gateways, one after the other");
    }

    static async Task<KeysResource> GetAsync(MeshDbContext db, CancellationToken cancellationToken)
    {
        var epoch = await KeyEpochs.NewestAsync(db, cancellationToken);
        var gateways = await db.Gateways.AsNoTracking().Select(g => new { Name = g.Cluster!.Name + "/" + g.Name, g.KeyEpoch, g.HeldEpoch, Changing = g.KeyAskedAt != null || g.KeyChangeAt != null }).ToListAsync(cancellationToken);
        var newest = epoch?.Epoch ?? 0;
        var knowing = gateways.Where(g => g.HeldEpoch is not null).ToList();
        var waiting = knowing.Where(g => g.KeyEpoch < newest).Select(g => g.Name).Order(StringComparer.Ordinal).ToList();
        return new KeysResource(newest, epoch?.CreatedAt, epoch?.Reason ?? "", knowing.Count, knowing.Count - waiting.Count, waiting)
        {
            ChangingDeviceKey = gateways.Where(g => g.Changing).Select(g => g.Name).Order(StringComparer.Ordinal).ToList(),
        };
    }

    static async Task<KeysResource> RenewAsync(Body<RenewKeys> body, HttpContext context, FactsStore facts, MeshKeys keys, DeviceKeyChanges deviceKeys, MeshDbContext db, CancellationToken cancellationToken)
    {
        var reason = Reason(body.Value.Reason);
        var caller = TokenAuthentication.CallerOf(context);
        await facts.ChangeAsync(async change =>
        {
            await change.RenewKeysAsync(reason.Length > 0 ? reason : $"{caller.Actor} asked for it", caller.Actor, 0, cancellationToken);
            if (body.Value.DeviceKeys)
            {
                DeviceKeyChanges.Want(change, await change.Db.Gateways.ToListAsync(cancellationToken), caller.Actor);
            }

            change.Audit(caller, body.Value.DeviceKeys ? "keys.renew-all" : "keys.renew", "mesh", null, null);
            return true;
        }, cancellationToken);
        keys.Wake();
        deviceKeys.Wake();
        return await GetAsync(db, cancellationToken);
    }

    static async Task<KeysResource> ChangeAsync(string name, Body<ChangeDeviceKeys> body, HttpContext context, FactsStore facts, DeviceKeyChanges deviceKeys, MeshDbContext db, CancellationToken cancellationToken)
    {
        var reason = Reason(body.Value.Reason);
        var caller = TokenAuthentication.CallerOf(context);
        await facts.ChangeAsync(async change =>
        {
            var cluster = await change.ClusterAsync(name, cancellationToken);
            DeviceKeyChanges.Want(change, cluster.Gateways, caller.Actor);
            change.Event("device-keys-asked", "info", $"cluster/{name}", caller.Actor, $"The device keys of {name} are to be changed{(reason.Length > 0 ? $": {reason}" : "")}.");
            change.Audit(caller, "device-keys.change", $"cluster/{name}", null, null);
            return true;
        }, cancellationToken);
        deviceKeys.Wake();
        return await GetAsync(db, cancellationToken);
    }

    static string Reason(string? text)
    {
        var reason = text?.Trim() ?? "";
        if (reason.Length > LongestReason)
        {
            var errors = new FieldErrors();
            errors.Add("/reason", $"at most {LongestReason} characters");
            errors.ThrowIfAny();
        }

        return reason;
    }
}
