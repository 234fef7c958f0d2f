using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Http;

namespace MeshFabric.Dashboard.Access;

/// <summary>Who looks at the dashboard: an API token, kept in a cookie that no script can read and that the API does not take.</summary>
public sealed class Session : ClaimsIdentity
{
    public const string SchemeName = "DashboardSession";

    // Longer than any token that was ever given out.
    const int MaxTokenLength = 200;

    /// <param name="address">Where the viewer is, for the audit.</param>
    public Session(string token, string name, string role, string address)
        : base([new Claim(ClaimTypes.Name, name), new Claim(ClaimTypes.Role, role)], SchemeName) => (Token, Address) = (token, address);

    Session(Session other) : base(other) => (Token, Address) = (other.Token, other.Address);

    /// <summary>What the API is asked with. No claim, so that nothing that lists claims shows it.</summary>
    internal string Token { get; }

    internal string Address { get; }

    public string Role => FindFirst(ClaimTypes.Role)?.Value ?? "";

    public override ClaimsIdentity Clone() => new Session(this);

    public static Session? Of(ClaimsPrincipal principal) => principal.Identities.OfType<Session>().FirstOrDefault();

    /// <summary>The cookie's name; with a prefix that lets no other host of the same domain set it, where browsers allow it one (RFC 6265bis, 4.1.3.2).</summary>
    public static string CookieOf(HttpRequest request) => IsSecure(request) ? "__Host-meshfabric-session" : "meshfabric-session";

    /// <summary>What may be a token: nothing else is asked about.</summary>
    internal static bool MayBeToken(string? text) => text is { Length: > 0 and <= MaxTokenLength } && text.All(c => c is > ' ' and <= '~');

    /// <summary>Until the browser is closed; sent when somebody follows a link to the dashboard, with no other request that comes from elsewhere.</summary>
    internal static CookieOptions CookieFor(HttpRequest request) => new() { HttpOnly = true, Secure = IsSecure(request), SameSite = SameSiteMode.Lax, Path = "/", IsEssential = true };

    // Without TLS here there is a proxy in front that has it, or people are on this very host.
    static bool IsSecure(HttpRequest request) => request.IsHttps || !(request.Host.Host is "localhost" || (IPAddress.TryParse(request.Host.Host, out var address) && IPAddress.IsLoopback(address)));

    /// <summary>The request comes from a page of this service: by what browsers tell (Fetch Metadata), or by the Origin that those without it send.</summary>
    internal static bool IsFromHere(HttpRequest request) => request.Headers["Sec-Fetch-Site"].ToString() switch
    {
        "same-origin" or "none" => true,
        "" => request.Headers.Origin.ToString() is var origin && (origin.Length == 0 || (Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Authority == request.Host.Value)),
        _ => false,
    };
}
