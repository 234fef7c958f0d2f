using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.Messaging;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Planning;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Reconciling;

/// <summary>Role <c>gateway</c> (or <c>machine</c>): waits for enrolment and runs the membership until it ends.</summary>
/// <remarks>
/// Everything of one membership lives in a scope of its own and ends with it. A host's agent then ends too; a Kubernetes node's goes on in role
/// <c>node</c>, for whoever restarts agents waits longer and longer, and nobody would steer the node's pods meanwhile.
/// </remarks>
public sealed partial class GatewayRole(IServiceScopeFactory scopes, AgentStateDirectory state, AgentView view, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<GatewayRole> log, NodeSettings? node = null)
    : BackgroundService
{
    static readonly TimeSpan EnrolmentCheck = TimeSpan.FromMilliseconds(200);

    volatile Running? _running;

    sealed record Running(GatewayLoop Loop, InventoryReporter Inventory, ControlLink Link, TunnelWatch Tunnels)
    {
        public IEnumerable<BackgroundService> Parts => [Loop, Inventory, Link];
    }

    /// <summary>The plan that is in force; null before the first facts, and without membership.</summary>
    public GatewayConfig? Config => _running?.Loop.Config;

    /// <summary>A member whose plan is not made yet.</summary>
    public bool IsStarting => state.IsEnrolled && Config is null;

    /// <summary>Some tunnel is alive, or none is wanted.</summary>
    public bool Carries => _running?.Tunnels.CarriesAny ?? false;

    public bool ControlConnected => _running?.Link.IsConnected ?? false;

    /// <summary>Why the inventory cannot be read; null while it can, or when there is none to read.</summary>
    public string? InventoryFailure => _running?.Inventory.Failure;

    /// <summary>End the membership, if there is one. From any thread, as often as one likes.</summary>
    public void Leave(string reason) => _running?.Loop.Leave(reason);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await WaitForEnrolmentAsync(stoppingToken))
        {
            await RunMembershipAsync(stoppingToken);
            if (stoppingToken.IsCancellationRequested)
            {
                return;
            }

            // Only now: nothing that could write to it runs any more.
            state.Delete();
            view.Left();
            if (node is null)
            {
                lifetime.StopApplication();
                return;
            }
        }
    }

    async Task RunMembershipAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var services = scope.ServiceProvider;
        var membership = new Running(services.GetRequiredService<GatewayLoop>(), services.GetRequiredService<InventoryReporter>(), services.GetRequiredService<ControlLink>(), services.GetRequiredService<TunnelWatch>());
        membership.Link.Inbox = services.GetRequiredService<ControlInbox>();
        try
        {
            foreach (var part in membership.Parts)
            {
                await part.StartAsync(cancellationToken);
            }

            _running = membership;
            // The loop ends when it has left; another part only by a bug, which must be loud.
            await await Task.WhenAny(membership.Parts.Select(p => p.ExecuteTask!));
        }
        finally
        {
            _running = null;
            await Task.WhenAll(membership.Parts.Select(p => p.StopAsync(CancellationToken.None)));
        }
    }

    async Task<bool> WaitForEnrolmentAsync(CancellationToken cancellationToken)
    {
        if (!state.IsEnrolled && node is null)
        {
            LogWaiting(log, state.Directory);
        }

        while (!state.IsEnrolled && !cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(EnrolmentCheck, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return !cancellationToken.IsCancellationRequested;
    }

    [LoggerMessage(5001, LogLevel.Information, "Waiting to be enrolled: run 'meshfabric-agent join --state {Directory} ...' on this host")]
    static partial void LogWaiting(ILogger logger, string directory);
}
