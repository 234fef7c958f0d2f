using MeshFabric.Contracts.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace MeshFabric.Dashboard.Access;

/// <summary>Where the sign-in form goes, and the button that ends a session. Forms of other sites are refused: nobody shall be signed in, or out, by one.</summary>
static class SignInEndpoints
{
    public const string Page = "/sign-in";
    public const string Return = "return";
    public const string Refused = "refused";

    public static void MapSignIn(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/session", BeginAsync).ExcludeFromDescription();
        endpoints.MapPost("/session/end", End).ExcludeFromDescription();
    }

    static async Task<IResult> BeginAsync(HttpContext context, OwnApi api)
    {
        if (!Session.IsFromHere(context.Request))
        {
            return Results.StatusCode(StatusCodes.Status403Forbidden);
        }

        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var (token, back) = (form["token"].ToString().Trim(), Local(form[Return].ToString()));
        if (!Session.MayBeToken(token))
        {
            return Again(back, "token");
        }

        try
        {
            using var client = api.For(token, context.Connection.RemoteIpAddress?.ToString() ?? "");
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

        context.Response.Cookies.Append(Session.CookieOf(context.Request), token, Session.CookieFor(context.Request));
        return Results.LocalRedirect(back);
    }

    static IResult End(HttpContext context)
    {
        if (!Session.IsFromHere(context.Request))
        {
            return Results.StatusCode(StatusCodes.Status403Forbidden);
        }

        context.Response.Cookies.Delete(Session.CookieOf(context.Request), Session.CookieFor(context.Request));
        return Results.LocalRedirect(Page);
    }

    static IResult Again(string back, string why) => Results.LocalRedirect($"{Page}?{Refused}={why}&{Return}={Uri.EscapeDataString(back)}");

    /// <summary>A page of this service itself; its first one when another place is named.</summary>
    internal static string Local(string? path) => path is ['/', ..] and not ['/', '/' or '\\', ..] && !path.StartsWith(Page, StringComparison.Ordinal) && !path.Any(char.IsControl) ? path : "/";
}
