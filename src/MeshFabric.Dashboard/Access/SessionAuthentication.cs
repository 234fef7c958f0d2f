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
    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Request.Cookies[Session.Cookie] is not { Length: > 0 } token)
        {
            return AuthenticateResult.NoResult();
        }

        try
        {
            using var client = api.For(token);
            var caller = await client.GetCallerAsync(Context.RequestAborted);
            return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new Session(token, caller.Name, caller.Role)), Scheme.Name));
        }
        catch (MeshApiException e)
        {
            return AuthenticateResult.Fail(e.Problem.Detail);
        }
        catch (MeshUnreachableException e)
        {
            return AuthenticateResult.Fail(e.Message);
        }
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Redirect($"{SignInEndpoints.Page}?{SignInEndpoints.Return}={Uri.EscapeDataString($"{Request.Path}{Request.QueryString}")}");
        return Task.CompletedTask;
    }
}
