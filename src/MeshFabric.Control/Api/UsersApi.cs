using System.Security.Claims;
using MeshFabric.Contracts.Http;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Api;

/// <summary><c>/users/me</c>: who the caller is and what it may do.</summary>
public static class UsersApi
{
    public static void MapUsers(this IEndpointRouteBuilder api) =>
        api.MapGet("/users/me", MeAsync).WithName("GetCaller").WithTags("Users").WithSummary("The caller's token, by name, role and expiry");

    static async Task<CallerResource> MeAsync(HttpContext context, MeshDbContext db, CancellationToken cancellationToken)
    {
        var id = context.User.FindFirstValue(ClaimTypes.NameIdentifier) ?? "";
        var expires = await db.ApiTokens.AsNoTracking().Where(t => t.Id == id).Select(t => t.ExpiresAt).SingleOrDefaultAsync(cancellationToken);
        return new CallerResource(context.User.Identity?.Name ?? "", id, context.User.FindFirstValue(ClaimTypes.Role) ?? "", expires);
    }
}
