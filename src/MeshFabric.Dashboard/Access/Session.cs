using System.Security.Claims;
using Microsoft.AspNetCore.Http;

namespace MeshFabric.Dashboard.Access;

/// <summary>Who looks at the dashboard: an API token, kept in a cookie that no script can read and that the API does not take.</summary>
public sealed class Session : ClaimsIdentity
{
    public const string SchemeName = "DashboardSession";

    /// <summary>Name of the cookie.</summary>
    public const string Cookie = "meshfabric-session";

    public Session(string token, string name, string role)
        : base([new Claim(ClaimTypes.Name, name), new Claim(ClaimTypes.Role, role)], SchemeName) => Token = token;

    /// <summary>What the API is asked with. No claim, so that nothing that lists claims shows it.</summary>
    internal string Token { get; }

    public string Role => FindFirst(ClaimTypes.Role)?.Value ?? "";

    public static Session? Of(ClaimsPrincipal principal) => principal.Identities.OfType<Session>().FirstOrDefault();

    /// <summary>Until the browser is closed; sent when somebody follows a link to the dashboard, with no other request that comes from elsewhere.</summary>
    internal static CookieOptions CookieFor(HttpRequest request) => new() { HttpOnly = true, Secure = request.IsHttps, SameSite = SameSiteMode.Lax, Path = "/", IsEssential = true };
}
