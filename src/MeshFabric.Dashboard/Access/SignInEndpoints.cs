using MeshFabric.Contracts.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace MeshFabric.Dashboard.Access;

/// <summary>Where the sign-in form goes, and the button that ends a session.</summary>
static class SignInEndpoints
{
    public const string Page = "/sign-in";
    public const string Return = "return";
    public const string Refused = "refused";
    const int MaxTokenLength = 200;

    public static void MapSignIn(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/session", BeginAsync).ExcludeFromDescription();
        endpoints.MapPost("/session/end", End).ExcludeFromDescription();
    }

    static async Task<IResult> BeginAsync(HttpContext context, OwnApi api)
    {
        if (!IsOwn(context.Request))
        {
            return Results.StatusCode(StatusCodes.Status403Forbidden);
        }

        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var (token, back) = (form["token"].ToString().Trim(), Local(form[Return].ToString()));
        try
        {
            if (token.Length is 0 or > MaxTokenLength)
            {
                return Again(back, "token");
            }

            using var client = api.For(token);
            await client.GetCallerAsync(context.RequestAborted);
        }
        catch (MeshApiException e)
        {
            return Again(back, e.Problem.Status == StatusCodes.Status401Unauthorized ? "token" : "away");
        }
        catch (MeshUnreachableException)
        {
            return Again(back, "away");
        }

        context.Response.Cookies.Append(Session.Cookie, token, Session.CookieFor(context.Request));
        return Results.LocalRedirect(back);
    }

    static IResult End(HttpContext context)
    {
        if (!IsOwn(context.Request))
        {
            return Results.StatusCode(StatusCodes.Status403Forbidden);
        }

        context.Response.Cookies.Delete(Session.Cookie, Session.CookieFor(context.Request));
        return Results.LocalRedirect(Page);
    }

    static IResult Again(string back, string why) => Results.LocalRedirect($"{Page}?{Refused}={why}&{Return}={Uri.EscapeDataString(back)}");

    /// <summary>A page of the dashboard itself; its first one when another place is named.</summary>
    internal static string Local(string? path) => path is ['/', ..] and not ['/', '/' or '\\', ..] && !path.StartsWith(Page, StringComparison.Ordinal) && !path.Any(char.IsControl) ? path : "/";

    // Forms of other sites are refused: nobody shall be signed in, or out, by one (Fetch Metadata; browsers without it send Origin with a POST).
    static bool IsOwn(HttpRequest request) => request.Headers["Sec-Fetch-Site"].ToString() switch
    {
        "same-origin" or "none" => true,
        "" => request.Headers.Origin.ToString() is var origin && (origin.Length == 0 || (Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Authority == request.Host.Value)),
        _ => false,
    };
}
