using System.Text.Json;
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
        Body<CreateJoinToken> body, HttpContext context, FactsStore facts, ICertificateAuthority authority, IOptions<ApiOptions> options, CancellationToken cancellationToken)
    {
        var wanted = Wanted(body.Value);
        var caller = TokenAuthentication.CallerOf(context);
        var secret = TokenSecret.New();
        var (row, now) = await facts.ChangeAsync(async change => (await AddAsync(change, wanted, secret, caller, cancellationToken), change.Now), cancellationToken);
        var token = new JoinToken(options.Value.PublicUrl.TrimEnd('/'), authority.Fingerprint, row.Id, secret);
        return TypedResults.Created($"{Contracts.Http.Api.Prefix}/join-tokens/{row.Id}", Show(row, token.Encode(), now));
    }

    sealed record WantedToken(string Cluster, bool Standing, int Seconds, int Uses, string Description);

    static WantedToken Wanted(CreateJoinToken body)
    {
        var errors = new FieldErrors();
        var wanted = new WantedToken(
            string.IsNullOrEmpty(body.Cluster) ? "" : Fields.Name(body.Cluster, "/cluster", errors),
            body.Standing ?? false,
            Fields.Number(body.ExpiresInSeconds, 1, MaxSeconds, DefaultSeconds, "/expiresInSeconds", errors),
            Fields.Number(body.MaxUses, 1, GatewayFacts.MaxPerCluster, 1, "/maxUses", errors),
            Fields.Text(body.Description, "/description", errors));
        if (wanted.Standing)
        {
            RequireNoLimit(body, errors);
        }

        errors.ThrowIfAny();
        return wanted;
    }

    static void RequireNoLimit(CreateJoinToken body, FieldErrors errors)
    {
        const string reason = "a standing token has no limit: leave this out, or make one that is not standing";
        if (string.IsNullOrEmpty(body.Cluster))
        {
            errors.Add("/cluster", "a standing token needs the one cluster that it admits gateways to");
        }

        if (body.ExpiresInSeconds is not null)
        {
            errors.Add("/expiresInSeconds", reason);
        }

        if (body.MaxUses is not null)
        {
            errors.Add("/maxUses", reason);
        }
    }

    /// <summary>Under the lock of the mesh: a cluster that is being removed takes its tokens along, and this one would come too late.</summary>
    static async Task<JoinTokenRow> AddAsync(FactsChange change, WantedToken wanted, string secret, Caller caller, CancellationToken cancellationToken)
    {
        if (wanted.Standing && !await change.Db.Clusters.AnyAsync(c => c.Name == wanted.Cluster, cancellationToken))
        {
            throw Refusal.NotFound("cluster", wanted.Cluster);
        }

        var row = new JoinTokenRow
        {
            Id = Ids.New("j"),
            Hash = TokenSecret.Hash(secret),
            Cluster = wanted.Cluster,
            Description = wanted.Description,
            CreatedAt = change.Now,
            ExpiresAt = wanted.Standing ? JoinTokenRow.Never : change.Now.AddSeconds(wanted.Seconds),
            MaxUses = wanted.Standing ? JoinTokenRow.Unlimited : wanted.Uses,
        };
        change.Db.JoinTokens.Add(row);
        change.Audit(caller, "join-token.create", $"join-token/{row.Id}", null, JsonSerializer.Serialize(Show(row, null, change.Now).Spec, MeshJson.Options));
        return row;
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
        new JoinTokenSpec(row.Cluster, row.IsStanding ? null : row.ExpiresAt, row.IsStanding ? null : row.MaxUses, row.Description, row.IsStanding),
        new JoinTokenStatus(StateOf(row, now), row.Uses, token));
}
