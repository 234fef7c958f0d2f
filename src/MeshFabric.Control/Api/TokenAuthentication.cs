using System.Security.Claims;
using System.Text.Encodings.Web;
using MeshFabric.Control.Meshing;
using MeshFabric.Dashboard.Access;
using MeshFabric.Persistence;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Api;

/// <summary>Roles of API tokens; each may do what those before it may.</summary>
public static class Roles
{
    public const string Viewer = "viewer";
    public const string Operator = "operator";
    public const string Admin = "admin";

    public static readonly string[] All = [Viewer, Operator, Admin];

    public static void AddPolicies(AuthorizationBuilder authorization)
    {
        for (var i = 0; i < All.Length; i++)
        {
            var enough = All[i..];
            authorization.AddPolicy(All[i], policy => policy.RequireRole(enough));
        }
    }
}

/// <summary><c>Authorization: Bearer mfa_ID_SECRET</c>, against the hashes in the database.</summary>
public sealed class TokenAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, MeshDbContext db, TimeProvider time)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string SchemeName = "ApiToken";
    const string Bearer = "Bearer ";

    // Who uses a token is worth knowing to the minute, not a write per request.
    static readonly TimeSpan LastUsedPrecision = TimeSpan.FromMinutes(1);

    /// <summary>Who asks, and from where: of what the dashboard asks for somebody, where they are.</summary>
    public static Caller CallerOf(HttpContext context) =>
        new(context.User.Identity?.Name ?? "anonymous", context.TraceIdentifier, context.RequestServices.GetService<OwnApi>()?.ViewerOf(context.Request) ?? context.Connection.RemoteIpAddress?.ToString() ?? "");

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization.ToString();
        if (!header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
        {
            return AuthenticateResult.NoResult();
        }

        if (ApiTokenText.TryParse(header[Bearer.Length..].Trim()) is not { } token)
        {
            return AuthenticateResult.Fail("not an API token");
        }

        var row = await db.ApiTokens.AsNoTracking().SingleOrDefaultAsync(t => t.Id == token.Id, Context.RequestAborted);
        var now = time.GetUtcNow();
        if (!TokenSecret.Matches(token.Secret, row?.Hash) || row!.RevokedAt is not null || row.ExpiresAt <= now)
        {
            return AuthenticateResult.Fail("unknown, revoked or expired token");
        }

        var stale = now - LastUsedPrecision;
        if (row.LastUsedAt is null || row.LastUsedAt < stale)
        {
            await db.ApiTokens.Where(t => t.Id == row.Id && (t.LastUsedAt == null || t.LastUsedAt < stale))
                .ExecuteUpdateAsync(t => t.SetProperty(r => r.LastUsedAt, now), Context.RequestAborted);
        }

        var identity = new ClaimsIdentity([new Claim(ClaimTypes.Name, row.Name), new Claim(ClaimTypes.Role, row.Role), new Claim(ClaimTypes.NameIdentifier, row.Id)], SchemeName);
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), SchemeName));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer realm=\"meshfabric\"";
        Response.StatusCode = StatusCodes.Status401Unauthorized;
        return Task.CompletedTask;
    }
}

/// <summary>The text of an API token: <c>mfa_ID_SECRET</c>.</summary>
public sealed record ApiTokenText(string Id, string Secret)
{
    const string Prefix = "mfa_";

    public static ApiTokenText New() => new(Ids.New("t"), TokenSecret.New());

    public static ApiTokenText? TryParse(string text)
    {
        var end = text.StartsWith(Prefix, StringComparison.Ordinal) && text.Length < 200 ? text.IndexOf('_', Prefix.Length) : -1;
        return end > Prefix.Length && end + 1 < text.Length ? new ApiTokenText(text[Prefix.Length..end], text[(end + 1)..]) : null;
    }

    /// <summary>The secret in full: given out once.</summary>
    public string Reveal() => $"{Prefix}{Id}_{Secret}";

    public override string ToString() => $"(API token {Id})";
}
