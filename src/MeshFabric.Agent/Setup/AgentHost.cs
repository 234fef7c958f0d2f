using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.Facts;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.Messaging;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.Reporting;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Tunnels;
using MeshFabric.ServiceDefaults;
using MeshFabric.WireGuard;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Setup;

/// <summary>Puts a running agent together.</summary>
public static class AgentHost
{
    /// <param name="state">Where its socket is.</param>
    /// <param name="gateway">State of role <c>gateway</c>; the same, but on a Kubernetes node.</param>
    /// <param name="node">Null: the agent of a host.</param>
    /// <param name="metrics">Address for metrics and health by TCP; null for none.</param>
    public static WebApplication Create(AgentStateDirectory state, AgentStateDirectory gateway, NodeSettings? node, BackendChoice backend, IPEndPoint? metrics)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.Logging.AddMeshConsole();
        builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("MassTransit", LogLevel.Error);
        builder.Services.AddSingleton<TimeProvider>(new SteadyTime(TimeProvider.System));
        builder.Services.AddSingleton(gateway);
        builder.Services.AddSingleton<AgentView>();
        builder.Services.AddSingleton<INodeTraffic>(s => node is null ? new NoTraffic() : new LinuxNodeTraffic(s.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<AgentMetrics>();
        builder.Services.AddSingleton<INodeObservations>(s => node is null ? NoObservations.Instance : s.GetRequiredService<ClusterApi>());
        builder.Services.AddSingleton<Func<IWireGuardBackend>>(s => () => WireGuardBackends.Open(backend, new BackendOptions(gateway.LogDirectory), s.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<IHostSettings>(s => node is null ? new LinuxSysctls(gateway) : new NodeHeldSettings(s.GetRequiredService<LinuxSysctls>()));
        AddMembership(builder.Services);
        builder.Services.AddSingleton<GatewayRole>();
        if (node is { Leaves: true })
        {
            AddNode(builder.Services, state, node).AddHostedService<NodeLeave>();
        }
        else
        {
            builder.Services.AddHostedService(s => s.GetRequiredService<GatewayRole>());
            if (node is not null)
            {
                AddNode(builder.Services, state, node).AddHostedService<NodeLoop>().AddHostedService<SlotKeeper>().AddHostedService<GatewayPublisher>().AddHostedService<CalicoPoolKeeper>();
            }
        }

        builder.Services.AddMeshTelemetry("meshfabric-agent", AgentMetrics.MeterName);
        ReplaceSocket(state);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenUnixSocket(state.SocketFile);
            if (metrics is not null)
            {
                kestrel.Listen(metrics);
            }
        });

        var app = builder.Build();
        app.Services.GetRequiredService<AgentMetrics>();
        app.MapLocalApi();
        return app;
    }

    // One of each from an enrolment to its end.
    static void AddMembership(IServiceCollection services) => services
        .AddScoped<ControlLink>()
        .AddScoped<IControlLink>(s => s.GetRequiredService<ControlLink>())
        .AddScoped<ControlInbox>()
        .AddScoped<FactsKeeper>()
        .AddScoped<DeviceKeys>()
        .AddScoped<MeshSecrets>()
        .AddScoped<TunnelWatch>()
        .AddScoped<AgentReporter>()
        .AddScoped<Membership>()
        .AddScoped<InventoryReporter>()
        .AddScoped<GatewayLoop>();

    static IServiceCollection AddNode(IServiceCollection services, AgentStateDirectory state, NodeSettings node) => services
        .AddSingleton(node)
        .AddSingleton(new NodeState(new AgentStateDirectory(Path.Combine(state.Directory, NodeState.NodePart)), state))
        .AddSingleton(s => new LinuxSysctls(s.GetRequiredService<NodeState>().Directory))
        .AddSingleton<INodeObserver>(_ => new LinuxNodeObserver())
        .AddSingleton<ClusterApi>()
        .AddHostedService(s => s.GetRequiredService<ClusterApi>());

    // One that a killed agent left behind would be "in use".
    static void ReplaceSocket(AgentStateDirectory state)
    {
        const int longest = 107; // sockaddr_un.sun_path, unix(7)
        if (Encoding.UTF8.GetByteCount(state.SocketFile) > longest)
        {
            throw new AgentStateException($"{state.SocketFile} is too long for the path of a socket ({longest} bytes at most): choose a shorter --state");
        }

        File.Delete(state.SocketFile);
    }

    /// <summary>True when an agent could listen there. Metrics that cannot be served are no reason to leave a cluster without its gateway.</summary>
    public static bool IsFree(IPEndPoint address)
    {
        try
        {
            using var listener = new TcpListener(address);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
