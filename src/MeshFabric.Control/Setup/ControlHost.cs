using System.Net;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Api;
using MeshFabric.Control.Enrolment;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Messaging;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Reporting;
using MeshFabric.Dashboard;
using MeshFabric.Persistence;
using MeshFabric.ServiceDefaults;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Setup;

/// <summary>Puts the control service together.</summary>
public static class ControlHost
{
    const string Assets = "meshfabric-control.staticwebassets.endpoints.json";

    /// <param name="configure">Sources of configuration.</param>
    /// <param name="replace">For tests: services that stand in for the broker.</param>
    public static WebApplication Build(Action<IConfigurationBuilder> configure, Action<IServiceCollection>? replace = null)
    {
        // Files that browsers ask for lie beside the program, wherever it is started.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory, ApplicationName = typeof(ControlHost).Assembly.GetName().Name });
        builder.Configuration.Sources.Clear();
        configure(builder.Configuration);
        builder.Logging.ClearProviders();
        builder.Logging.AddMeshConsole();
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        AddOptions(builder.Services);
        AddServices(builder.Services);
        builder.Services.AddMeshMessaging();
        replace?.Invoke(builder.Services);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.UseStaticWebAssets();
        builder.WebHost.ConfigureKestrel((context, kestrel) => Listen(kestrel));

        var app = builder.Build();
        app.UseProblems();
        app.UseMeshDashboard();
        app.UseRouting();
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseAntiforgery();
        app.MapMeshApi();
        app.MapMeshDashboard(Path.Combine(AppContext.BaseDirectory, Assets));
        return app;
    }

    static void AddOptions(IServiceCollection services)
    {
        services.AddOptions<DatabaseOptions>().BindConfiguration("Database").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<BrokerOptions>().BindConfiguration("Broker").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<PkiOptions>().BindConfiguration("Pki").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<ApiOptions>().BindConfiguration("Api").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<KeysOptions>().BindConfiguration("Keys").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<BootstrapOptions>().BindConfiguration("Bootstrap");
    }

    static void AddServices(IServiceCollection services)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddDbContextFactory<MeshDbContext>((provider, options) =>
            MeshDatabase.Configure(options, provider.GetRequiredService<IOptions<DatabaseOptions>>().Value.ConnectionString));
        services.AddSingleton<ICertificateAuthority>(provider =>
            new CertificateAuthority(provider.GetRequiredService<IOptions<PkiOptions>>().Value.Directory, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<SenderGuard>();
        services.AddSingleton<FactsStore>();
        services.AddSingleton<SettledRevision>();
        services.AddSingleton<IAgentInbox, AgentInbox>();
        services.AddSingleton<CutOff>();
        services.AddScoped<EnrolmentDesk>();
        services.AddHostedService<Startup>();
        services.AddSingleton<BrokerReconciler>();
        services.AddHostedService(provider => provider.GetRequiredService<BrokerReconciler>());
        services.AddHostedService<FactsPublisher>();
        services.AddHostedService<Liveness>();
        services.AddHostedService<LeafRemoval>();
        services.AddSingleton<HiddenGateways>();
        services.AddHostedService(provider => provider.GetRequiredService<HiddenGateways>());
        services.AddSingleton<DeviceKeyChanges>();
        services.AddHostedService(provider => provider.GetRequiredService<DeviceKeyChanges>());
        services.AddSingleton<MeshKeys>();
        services.AddHostedService(provider => provider.GetRequiredService<MeshKeys>());
        services.AddSingleton<MeshMetrics>();
        services.AddHostedService(provider => provider.GetRequiredService<MeshMetrics>());
        services.AddMeshTelemetry("meshfabric-control", MeshMetrics.MeterName);

        services.AddAuthentication(TokenAuthentication.SchemeName)
            .AddScheme<AuthenticationSchemeOptions, TokenAuthentication>(TokenAuthentication.SchemeName, null);
        Roles.AddPolicies(services.AddAuthorizationBuilder());
        services.AddSingleton(provider => new ServerCertificate(PkiDirectory.Load(provider.GetRequiredService<IOptions<PkiOptions>>().Value.Directory, PkiDirectory.Control)));
        services.AddMeshDashboard(provider => provider.GetRequiredService<ServerCertificate>().Certificate);
        services.AddEnrolmentLimit();
        services.ConfigureHttpJsonOptions(json => MeshJson.Apply(json.SerializerOptions));
        services.AddOpenApi("v1", OpenApiDescription.Configure);
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
    }

    static void Listen(KestrelServerOptions kestrel)
    {
        var options = kestrel.ApplicationServices.GetRequiredService<IOptions<ApiOptions>>().Value;
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = Contracts.Http.Api.MaxBodyBytes;
        foreach (var text in options.Listen.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http") || !IPAddress.TryParse(uri.DnsSafeHost, out var address))
            {
                throw new StartupException($"Api:Listen '{text}' is not an address such as https://0.0.0.0:8443 or https://[::]:8443");
            }

            kestrel.Listen(address, uri.Port, listen =>
            {
                if (uri.Scheme == "https")
                {
                    listen.UseHttps(kestrel.ApplicationServices.GetRequiredService<ServerCertificate>().Certificate);
                }
            });
        }
    }
}

/// <summary>What this process shows its callers, from its start to its end.</summary>
sealed record ServerCertificate(System.Security.Cryptography.X509Certificates.X509Certificate2 Certificate);
