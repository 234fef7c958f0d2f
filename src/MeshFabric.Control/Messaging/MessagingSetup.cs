using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using MassTransit;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Setup;
using MeshFabric.Persistence;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Messaging;

public static class MessagingSetup
{
    const int Prefetch = 200;
    const int Concurrency = 16;

    public static IServiceCollection AddMeshMessaging(this IServiceCollection services)
    {
        // RabbitMQ's management closes what is idle for 60 s, and a request that meets that moment fails: be first.
        services.AddHttpClient<IBrokerAdmin, RabbitBrokerAdmin>(http => http.Timeout = TimeSpan.FromSeconds(20))
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(20) });
        services.AddSingleton<IAgentPost, AgentPost>();
        services.AddMassTransit(bus =>
        {
            // The library would call home five minutes after the start.
            bus.DisableUsageTelemetry();
            bus.AddConsumer<AgentConsumers>();
            bus.UsingRabbitMq((context, rabbit) => Configure(context, rabbit));
        });
        services.Configure<MassTransitHostOptions>(o =>
        {
            // The API answers while the broker is away; the bus goes on trying.
            o.WaitUntilStarted = false;
            o.StopTimeout = TimeSpan.FromSeconds(5);
        });
        return services;
    }

    static void Configure(IBusRegistrationContext context, IRabbitMqBusFactoryConfigurator rabbit)
    {
        var options = context.GetRequiredService<IOptions<BrokerOptions>>().Value;
        var authority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(context.GetRequiredService<IOptions<PkiOptions>>().Value.Directory, PkiDirectory.Authority + ".crt"));
        rabbit.Host(options.Host, (ushort)options.Port, options.VirtualHost, "meshfabric-control", host =>
        {
            host.Username(options.Username);
            host.Password(options.Secret());
            host.Heartbeat(TimeSpan.FromSeconds(10));
            host.UseSsl(tls =>
            {
                tls.Protocol = SslProtocols.Tls12 | SslProtocols.Tls13;
                tls.ServerName = options.Host;
                // Without a callback any CA would do.
                tls.CertificateValidationCallback = PinnedAuthority.Validate(authority);
            });
        });
        Endpoint(rabbit, context, BrokerNames.Ingress, quorum: true);
        Endpoint(rabbit, context, BrokerNames.Heartbeats, quorum: false);
    }

    // Queues and bindings are made by IBrokerAdmin, in one place; the bus only consumes.
    static void Endpoint(IRabbitMqBusFactoryConfigurator rabbit, IBusRegistrationContext context, string queue, bool quorum) => rabbit.ReceiveEndpoint(queue, endpoint =>
    {
        endpoint.BindQueue = false;
        endpoint.ConfigureConsumeTopology = false;
        endpoint.PublishFaults = false;
        endpoint.DiscardSkippedMessages();
        endpoint.DiscardFaultedMessages();
        endpoint.PrefetchCount = Prefetch;
        endpoint.ConcurrentMessageLimit = Concurrency;
        endpoint.UseFilter(context.GetRequiredService<SenderGuard>());
        if (quorum)
        {
            // Through a restart of the database: what still fails is dropped, for agents report again.
            // A message that is bad in itself is dropped at once, or one agent could keep all others waiting.
            endpoint.UseMessageRetry(retry =>
            {
                retry.Handle<Exception>(MeshDatabase.IsUnavailable);
                retry.Intervals(100, 500, 2000, 5000, 10_000);
            });
        }

        endpoint.ConfigureConsumer<AgentConsumers>(context);
    });
}
