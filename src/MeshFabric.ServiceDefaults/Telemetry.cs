using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace MeshFabric.ServiceDefaults;

/// <summary>Metrics of every host: our own meters, ASP.NET Core's, Npgsql's, MassTransit's and the runtime's, in Prometheus' format.</summary>
public static class Telemetry
{
    public static IServiceCollection AddMeshTelemetry(this IServiceCollection services, string serviceName, params string[] meters)
    {
        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(serviceName, serviceVersion: ProductVersion.Current))
            .WithMetrics(metrics => metrics
                .AddMeter(meters)
                .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime", "Npgsql", "MassTransit")
                .AddPrometheusExporter(exporter => exporter.ScopeInfoEnabled = false));
        return services;
    }

    public static IEndpointConventionBuilder MapMeshMetrics(this IEndpointRouteBuilder endpoints) => endpoints.MapPrometheusScrapingEndpoint("/metrics");
}
