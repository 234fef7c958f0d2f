using System.Security.Claims;
using System.Text.Encodings.Web;
using MeshFabric.Contracts.Http;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MeshFabric.Dashboard.Access;

/// <summary>Takes the session's token to the API, which says whose it is; without one, people are sent to sign in.</summary>
sealed class SessionAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, OwnApi api)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    /// <summary>Of a request that is answered by another page than it asked for: what it asked for.</summary>
    public const string AskedFor = "MeshFabric.Dashboard.AskedFor";

    // Nobody can say whose the token is: no reason to take it for nobody's.
    bool _isAway;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var token = Request.Cookies[Session.CookieOf(Request)];
        if (!Session.MayBeToken(token))
        {
            return AuthenticateResult.NoResult();
        }

        var address = Context.Connection.RemoteIpAddress?.ToString() ?? "";
        try
        {
            using var client = api.For(token!, address);
            var caller = await client.GetCallerAsync(Context.RequestAborted);
            return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new Session(token!, caller.Name, caller.Role, address)), Scheme.Name));
        }
        catch (MeshApiException e)
        {
            _isAway = e.Problem.Status >= StatusCodes.Status500InternalServerError;
            return AuthenticateResult.Fail(e.Problem.Detail);
        }
        catch (MeshUnreachableException e)
        {
            _isAway = true;
            return AuthenticateResult.Fail(e.Message);
        }
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (_isAway)
        {
            Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            Response.Headers.RetryAfter = "5";
            Response.ContentType = "text/plain; charset=utf-8";
            await Response.WriteAsync("The control service cannot look your session up just now. Tunnels are not affected. Load this page again in a moment.", Context.RequestAborted);
            return;
        }

        var asked = Context.Items[AskedFor] as string ?? $"{Request.Path}{Request.QueryString}";
        Response.Redirect($"{SignInEndpoints.Page}?{SignInEndpoints.Return}={Uri.EscapeDataString(asked)}");
    }
}
