using MeshFabric.Contracts.Http;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Api;

/// <summary><c>/api-tokens</c>: secrets that admit to this API. For admins only.</summary>
public static class ApiTokensApi
{
    const int MaxSeconds = 366 * 86_400;

    public static void MapApiTokens(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/api-tokens").WithTags("API tokens").RequireAuthorization(Roles.Admin);
        group.MapGet("", ListAsync).WithName("ListApiTokens");
        group.MapPost("", CreateAsync).WithName("CreateApiToken").WithSummary("The token itself is only in this answer");
        group.MapDelete("/{name}", RevokeAsync).WithName("RevokeApiToken");
    }

    static async Task<Page<ApiTokenResource>> ListAsync(Paging paging, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var rows = await db.ApiTokens.AsNoTracking().ToListAsync(cancellationToken);
        return paging.Cut(rows.OrderBy(Key, StringComparer.Ordinal).ToList(), Key, r => Show(r, null, time.GetUtcNow()));

        static string Key(ApiTokenRow row) => $"{row.CreatedAt:O} {row.Id}";
    }

    static async Task<IResult> CreateAsync(Body<CreateApiToken> body, HttpContext context, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var name = Fields.Name(body.Value.Name, "/name", errors);
        var description = Fields.Text(body.Value.Description, "/description", errors);
        int? seconds = body.Value.ExpiresInSeconds is null ? null : Fields.Number(body.Value.ExpiresInSeconds, 1, MaxSeconds, 0, "/expiresInSeconds", errors);
        if (body.Value.Role is not { } role || !Roles.All.Contains(role))
        {
            errors.Add("/role", $"one of {string.Join(", ", Roles.All)} is needed");
            role = "";
        }

        errors.ThrowIfAny();
        var now = time.GetUtcNow();
        var token = ApiTokenText.New();
        var row = new ApiTokenRow
        {
            Id = token.Id,
            Name = name,
            Hash = TokenSecret.Hash(token.Secret),
            Role = role,
            Description = description,
            CreatedAt = now,
            ExpiresAt = seconds is { } s ? now.AddSeconds(s) : null,
        };
        await LockedAsync(db, async () =>
        {
            if (await db.ApiTokens.AnyAsync(t => t.Name == name && t.RevokedAt == null && (t.ExpiresAt == null || t.ExpiresAt > now), cancellationToken))
            {
                throw Refusal.Conflict("api-token-exists", $"There is an API token named '{name}' already: the audit names callers by it. Choose another name, or revoke it first.");
            }

            db.ApiTokens.Add(row);
            AuditLog.Add(db, TokenAuthentication.CallerOf(context), now, "api-token.create", $"api-token/{name}", null, new { row.Role, row.ExpiresAt });
        }, cancellationToken);
        return TypedResults.Created($"{Contracts.Http.Api.Prefix}/api-tokens/{name}", Show(row, token.Reveal(), now));
    }

    static async Task<IResult> RevokeAsync(string name, HttpContext context, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        await LockedAsync(db, async () =>
        {
            var live = await db.ApiTokens.Where(t => t.RevokedAt == null && (t.ExpiresAt == null || t.ExpiresAt > now)).ToListAsync(cancellationToken);
            var row = live.Find(t => t.Name == name || t.Id == name) ?? throw Refusal.NotFound("API token", name);
            if (row.Role == Roles.Admin && !live.Exists(t => t != row && t.Role == Roles.Admin && t.ExpiresAt is null))
            {
                throw Refusal.Conflict("last-admin", $"'{row.Name}' is the last admin token without expiry: nobody could make another. Create one first.");
            }

            row.RevokedAt = now;
            AuditLog.Add(db, TokenAuthentication.CallerOf(context), now, "api-token.revoke", $"api-token/{row.Name}", new { row.Role }, null);
        }, cancellationToken);
        return TypedResults.NoContent();
    }

    // Names stay unique and one admin stays, whoever else asks at the same moment.
    static Task LockedAsync(MeshDbContext db, Func<Task> change, CancellationToken cancellationToken) => db.Database.CreateExecutionStrategy().ExecuteAsync(async token =>
    {
        db.ChangeTracker.Clear();
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await db.Database.ExecuteSqlAsync($"LOCK TABLE api_tokens IN SHARE ROW EXCLUSIVE MODE", token);
        await change();
        await db.SaveChangesAsync(token);
        await transaction.CommitAsync(token);
    }, cancellationToken);

    static ApiTokenResource Show(ApiTokenRow row, string? token, DateTimeOffset now) => new(
        new Metadata(row.Name, row.Id, row.RevokedAt is null ? "0" : "1", row.CreatedAt, new Dictionary<string, string>()),
        new ApiTokenSpec(row.Role, row.ExpiresAt, row.Description),
        new ApiTokenStatus(row.RevokedAt is not null ? "revoked" : row.ExpiresAt <= now ? "expired" : "active", row.LastUsedAt, token));
}
