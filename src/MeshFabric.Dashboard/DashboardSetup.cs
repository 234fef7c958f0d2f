using System.Security.Cryptography.X509Certificates;
using MeshFabric.Contracts.Http;
using MeshFabric.Dashboard.Access;
using MeshFabric.Dashboard.Layout;
using MeshFabric.Dashboard.Live;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using MudBlazor.Services;

namespace MeshFabric.Dashboard;

/// <summary>Puts the dashboard into the service that hosts it.</summary>
public static class DashboardSetup
{
    /// <summary>Everything is this service's own, scripts are files of it, and no other site may frame it. Components set styles by attributes.</summary>
    const string ContentPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'";

    /// <summary>Where pages have their sockets.</summary>
    const string Circuits = "/_blazor";

    /// <param name="certificate">What the service shows its callers.</param>
    public static IServiceCollection AddMeshDashboard(this IServiceCollection services, Func<IServiceProvider, X509Certificate2> certificate)
    {
        services.AddRazorComponents().AddInteractiveServerComponents();
        services.AddMudServices();
        services.AddCascadingAuthenticationState();
        // It protects what a page carries between this process and a browser; a page that outlives the process is loaded anew.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.AddSingleton(provider => new OwnApi(provider.GetRequiredService<IServer>(), () => certificate(provider)));
        services.AddSingleton<MeshPictures>();
        services.AddScoped<MeshWatch>();
        services.AddScoped<Preferences>();
        services.AddAuthentication().AddScheme<AuthenticationSchemeOptions, SessionAuthentication>(Session.SchemeName, null);
        return services;
    }

    /// <param name="assets">Manifest of the files that browsers ask for.</param>
    public static void MapMeshDashboard(this WebApplication app, string assets)
    {
        app.MapStaticAssets(assets).AllowAnonymous();
        app.MapSignIn();
        app.MapRazorComponents<App>().AddInteractiveServerRenderMode(options => options.ContentSecurityFrameAncestorsPolicy = null)
            .RequireAuthorization(new AuthorizationPolicyBuilder(Session.SchemeName).RequireAuthenticatedUser().Build());
    }

    /// <summary>Headers of every page, and a page for people where there is nothing. Comes before routing.</summary>
    public static void UseMeshDashboard(this WebApplication app) => app.Use(async (context, next) =>
    {
        context.Response.OnStarting(() =>
        {
            if (context.Response.ContentType?.StartsWith("text/html", StringComparison.Ordinal) == true)
            {
                var headers = context.Response.Headers;
                headers.ContentSecurityPolicy = ContentPolicy;
                headers.XContentTypeOptions = "nosniff";
                headers["Referrer-Policy"] = "same-origin";
            }

            return Task.CompletedTask;
        });
        if (context.Request.Path.StartsWithSegments(Circuits) && !Session.IsFromHere(context.Request))
        {
            // Browsers send cookies with the sockets of any page of the same site; another page there is not ours.
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }

        await next(context);
        if (context.Response is { StatusCode: StatusCodes.Status404NotFound, HasStarted: false } && HttpMethods.IsGet(context.Request.Method)
            && context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.Ordinal) && !context.Request.Path.StartsWithSegments(Api.Prefix))
        {
            // A page that comes with 404 is not rendered, for that is how pages say that there is nothing to render.
            context.Response.StatusCode = StatusCodes.Status200OK;
            context.Items[SessionAuthentication.AskedFor] = $"{context.Request.Path}{context.Request.QueryString}";
            context.Request.Path = "/not-found";
            context.SetEndpoint(null);
            context.Request.RouteValues.Clear();
            await next(context);
        }
    });
}
