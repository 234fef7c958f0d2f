using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Setup;
using MeshFabric.Domain.Clusters;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Api;

/// <summary><c>/join-tokens</c>: secrets that admit gateways.</summary>
public static class JoinTokensApi
{
    const int DefaultSeconds = 900;
    const int MaxSeconds = 86_400;

    public static void MapJoinTokens(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/join-tokens").WithTags("Join tokens").RequireAuthorization(Roles.Operator);
        group.MapGet("", ListAsync).WithName("ListJoinTokens");
        group.MapPost("", CreateAsync).WithName("CreateJoinToken").WithSummary("The token itself is only in this answer");
        group.MapDelete("/{id}", RevokeAsync).WithName("RevokeJoinToken");
    }

    public static string StateOf(JoinTokenRow row, DateTimeOffset now) =>
        row.RevokedAt is not null ? "revoked" : row.Uses >= row.MaxUses ? "used" : row.ExpiresAt <= now ? "expired" : "active";

    static async Task<Page<JoinTokenResource>> ListAsync(Paging paging, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var rows = await db.JoinTokens.AsNoTracking().ToListAsync(cancellationToken);
        var ordered = rows.OrderBy(Key, StringComparer.Ordinal).ToList();
        return paging.Cut(ordered, Key, r => Show(r, null, time.GetUtcNow()));

        static string Key(JoinTokenRow row) => $"{row.CreatedAt:O} {row.Id}";
    }

    static async Task<IResult> CreateAsync(
        Body<CreateJoinToken> body, HttpContext context, MeshDbContext db, ICertificateAuthority authority, IOptions<ApiOptions> options, TimeProvider time, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var cluster = string.IsNullOrEmpty(body.Value.Cluster) ? "" : Fields.Name(body.Value.Cluster, "/cluster", errors);
        var seconds = Fields.Number(body.Value.ExpiresInSeconds, 1, MaxSeconds, DefaultSeconds, "/expiresInSeconds", errors);
        var uses = Fields.Number(body.Value.MaxUses, 1, GatewayFacts.MaxPerCluster, 1, "/maxUses", errors);
        var description = Fields.Text(body.Value.Description, "/description", errors);
        errors.ThrowIfAny();
        var now = time.GetUtcNow();
        var secret = TokenSecret.New();
        var row = new JoinTokenRow
        {
            Id = Ids.New("j"),
            Hash = TokenSecret.Hash(secret),
            Cluster = cluster,
            Description = description,
            CreatedAt = now,
            ExpiresAt = now.AddSeconds(seconds),
            MaxUses = uses,
        };
        db.JoinTokens.Add(row);
        AuditLog.Add(db, TokenAuthentication.CallerOf(context), now, "join-token.create", $"join-token/{row.Id}", null, new { row.Cluster, row.ExpiresAt, row.MaxUses, row.Description });
        await db.SaveChangesAsync(cancellationToken);
        var token = new JoinToken(options.Value.PublicUrl.TrimEnd('/'), authority.Fingerprint, row.Id, secret);
        return TypedResults.Created($"{Contracts.Http.Api.Prefix}/join-tokens/{row.Id}", Show(row, token.Encode(), now));
    }

    static async Task<IResult> RevokeAsync(string id, HttpContext context, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var row = await db.JoinTokens.SingleOrDefaultAsync(t => t.Id == id, cancellationToken) ?? throw Refusal.NotFound("join token", id);
        if (row.RevokedAt is null)
        {
            var now = time.GetUtcNow();
            row.RevokedAt = now;
            AuditLog.Add(db, TokenAuthentication.CallerOf(context), now, "join-token.revoke", $"join-token/{id}", null, null);
            await db.SaveChangesAsync(cancellationToken);
        }

        return TypedResults.NoContent();
    }

    static JoinTokenResource Show(JoinTokenRow row, string? token, DateTimeOffset now) => new(
        new Metadata(row.Id, row.Id, $"{row.Uses}{(row.RevokedAt is null ? "" : "-revoked")}", row.CreatedAt, new Dictionary<string, string>()),
        new JoinTokenSpec(row.Cluster, row.ExpiresAt, row.MaxUses, row.Description),
        new JoinTokenStatus(StateOf(row, now), row.Uses, token));
}
