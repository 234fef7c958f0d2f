using MeshFabric.Agent.Messaging;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.State;
using MeshFabric.WireGuard;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Setup;

/// <summary>Puts a running agent together.</summary>
public static class AgentHost
{
    public static IHost Create(AgentStateDirectory state, BackendChoice backend)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddSimpleConsole(o =>
        {
            o.SingleLine = true;
            o.TimestampFormat = "yyyy-MM-ddTHH:mm:ssZ ";
            o.UseUtcTimestamp = true;
        });
        builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("MassTransit", LogLevel.Error).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(state);
        builder.Services.AddSingleton<ControlLink>();
        builder.Services.AddSingleton<IControlLink>(s => s.GetRequiredService<ControlLink>());
        builder.Services.AddSingleton<Func<IWireGuardBackend>>(s => () => WireGuardBackends.Open(backend, new BackendOptions(state.LogDirectory), s.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<GatewayLoop>();
        builder.Services.AddHostedService(s => s.GetRequiredService<GatewayLoop>());
        builder.Services.AddHostedService(s =>
        {
            var link = s.GetRequiredService<ControlLink>();
            link.Inbox = s.GetRequiredService<GatewayLoop>();
            return link;
        });
        return builder.Build();
    }
}
