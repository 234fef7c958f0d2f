using System.Threading.RateLimiting;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Api;
using MeshFabric.Control.Enrolment;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Messaging;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Reporting;
using MeshFabric.Persistence;
using MeshFabric.ServiceDefaults;
using Microsoft.AspNetCore.Authentication;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Setup;

/// <summary>Puts the service together.</summary>
public static class ControlHost
{
    const int EnrolmentsPerMinute = 120;

    public static WebApplication Create(string[] settings, Action<WebApplicationBuilder>? adapt = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = "meshfabric-control" });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddEnvironmentVariables("MESHFABRIC_").AddCommandLine(settings);
        builder.Logging.ClearProviders().AddMeshConsole();
        builder.AddOptionsOf<DatabaseOptions>("Database").AddOptionsOf<BrokerOptions>("Broker").AddOptionsOf<PkiOptions>("Pki")
            .AddOptionsOf<ApiOptions>("Api").AddOptionsOf<BootstrapOptions>("Bootstrap");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddDbContextFactory<MeshDbContext>((services, options) =>
            MeshDatabase.Configure(options, services.GetRequiredService<IOptions<DatabaseOptions>>().Value.ConnectionString));
        builder.Services.AddSingleton<ICertificateAuthority>(s => new CertificateAuthority(s.GetRequiredService<IOptions<PkiOptions>>().Value.Directory, s.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<FactsStore>();
        builder.Services.AddSingleton<IAgentInbox, AgentInbox>();
        builder.Services.AddSingleton<SenderGuard>();
        builder.Services.AddScoped<EnrolmentDesk>();
        builder.Services.AddSingleton<CutOff>();
        builder.Services.AddHostedService<Startup>();
        builder.Services.AddSingleton<BrokerReconciler>();
        builder.Services.AddHostedService(s => s.GetRequiredService<BrokerReconciler>());
        builder.Services.AddHostedService<FactsPublisher>();
        builder.Services.AddHostedService<Liveness>();
        builder.Services.AddMeshMessaging();
        builder.Services.AddMeshTelemetry("meshfabric-control", "MeshFabric.Control");
        builder.AddApi();
        adapt?.Invoke(builder);
        return builder.Build().UseApi();
    }

    static WebApplicationBuilder AddOptionsOf<T>(this WebApplicationBuilder builder, string section) where T : class
    {
        builder.Services.AddOptions<T>().BindConfiguration(section).ValidateDataAnnotations().ValidateOnStart();
        return builder;
    }

    static void AddApi(this WebApplicationBuilder builder)
    {
        var listen = builder.Configuration.GetSection("Api").Get<ApiOptions>() ?? new ApiOptions();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.UseUrls(listen.Listen);
        builder.WebHost.ConfigureKestrel((context, kestrel) =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = Contracts.Http.Api.MaxBodyBytes;
            kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate =
                PkiDirectory.Load(kestrel.ApplicationServices.GetRequiredService<IOptions<PkiOptions>>().Value.Directory, PkiDirectory.Control));
        });
        builder.Services.ConfigureHttpJsonOptions(o => MeshJson.Apply(o.SerializerOptions));
        builder.Services.AddOpenApi("v1");
        builder.Services.AddAuthentication(TokenAuthentication.SchemeName).AddScheme<AuthenticationSchemeOptions, TokenAuthentication>(TokenAuthentication.SchemeName, null);
        Roles.AddPolicies(builder.Services.AddAuthorizationBuilder());
        builder.Services.AddRateLimiter(limits =>
        {
            limits.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            limits.AddPolicy(EnrolmentsApi.RateLimit, context => RateLimitPartition.GetFixedWindowLimiter(
                context.Connection.RemoteIpAddress?.ToString() ?? "", _ => new FixedWindowRateLimiterOptions { PermitLimit = EnrolmentsPerMinute, Window = TimeSpan.FromMinutes(1) }));
        });
        builder.Services.AddHealthChecks().AddCheck<DatabaseCheck>("database", tags: ["ready"]);
    }

    static WebApplication UseApi(this WebApplication app)
    {
        app.UseProblems();
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapOpenApi("/openapi/{documentName}.json");
        app.MapMeshMetrics();
        app.MapHealthChecks("/healthz", new() { Predicate = _ => false });
        app.MapHealthChecks("/livez", new() { Predicate = _ => false });
        app.MapHealthChecks("/readyz", new() { ResponseWriter = DatabaseCheck.WriteAsync });
        app.MapPublic();
        app.MapGroup(Contracts.Http.Api.Prefix).MapEnrolments();
        var api = app.MapGroup(Contracts.Http.Api.Prefix).RequireAuthorization(Roles.Viewer);
        api.MapMesh();
        api.MapClusters();
        api.MapGateways();
        api.MapTunnels();
        api.MapAddresses();
        api.MapJoinTokens();
        api.MapApiTokens();
        api.MapEvents();
        api.MapProbes();
        return app;
    }
}
