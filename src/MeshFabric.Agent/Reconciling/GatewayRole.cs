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

    /// <summary>How long a gateway must have been drained until nobody sends to it, by the overlay or by tunnels: idle paths are probed once a second, and three lost probes make it dead.</summary>
    public static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(2);

    static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    // Whoever ran this long did not fail at once.
    static readonly TimeSpan GoodRun = TimeSpan.FromMinutes(1);

    volatile Running? _running;
    volatile string? _successor;
    volatile IReadOnlySet<string>? _taken;
    volatile bool _othersCarry;
    volatile bool _othersAnswer;

    sealed record Running(GatewayLoop Loop, InventoryReporter Inventory, ControlLink Link, TunnelWatch Tunnels)
    {
        public IEnumerable<BackgroundService> Parts => [Loop, Inventory, Link];
    }

    /// <summary>The plan that is in force; null before the first facts, and without membership.</summary>
    public GatewayConfig? Config => _running?.Loop.Config;

    /// <summary>A member whose plan is not made yet.</summary>
    public bool IsStarting => state.IsEnrolled && Config is null;

    /// <summary>Some tunnel is alive, or none is wanted.</summary>
    public bool Carries => _running is { Loop.IsDrained: false } running && running.Tunnels.CarriesAny;

    public bool ControlConnected => _running?.Link.IsConnected ?? false;

    /// <summary>Why the inventory cannot be read; null while it can, or when there is none to read.</summary>
    public string? InventoryFailure => _running?.Inventory.Failure;

    /// <summary>End the membership, if there is one. From any thread, as often as one likes.</summary>
    public void Leave(string reason) => _running?.Loop.Leave(reason);

    public bool IsDrained => _running?.Loop.IsDrained ?? false;

    /// <summary>Nobody is to send by this gateway any more; what still comes is carried.</summary>
    public void Drain(bool drained) => _running?.Loop.Drain(drained);

    /// <summary>Other gateways of the cluster carry traffic, and the node's routes to them are in place.</summary>
    public bool OthersCarry
    {
        get => _othersCarry;
        set
        {
            _othersCarry = value;
            if (_running is { } running)
            {
                running.Loop.OthersCarry = value;
            }
        }
    }

    /// <summary>Another gateway of the cluster says that it carries traffic: unlike <see cref="OthersCarry"/> never taken for granted.</summary>
    public bool OthersAnswer
    {
        get => _othersAnswer;
        set => _othersAnswer = value;
    }

    /// <summary>Slots that other nodes hold; null until that was read once.</summary>
    public IReadOnlySet<string>? Taken
    {
        get => _taken;
        set => _taken = value;
    }

    /// <summary>Why another node is to do this one's work; null while this one is to. Whoever publishes gateways ends the membership once nobody sends here any more.</summary>
    public string? Successor
    {
        get => _successor;
        set => _successor = value;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause = EnrolmentCheck;
        while (await WaitForEnrolmentAsync(stoppingToken))
        {
            var started = time.GetTimestamp();
            try
            {
                if (node is not null && !IsSound())
                {
                    continue;
                }

                await RunMembershipAsync(stoppingToken);
                if (stoppingToken.IsCancellationRequested)
                {
                    return;
                }

                // Only now: nothing that could write to it runs any more.
                state.Delete();
                view.Left();
            }
            catch (Exception e) when (node is not null && !stoppingToken.IsCancellationRequested)
            {
                pause = time.GetElapsedTime(started) > GoodRun ? EnrolmentCheck : TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, LongestPause.Ticks));
                LogFailed(log, e.Message, pause.TotalSeconds);
                await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            if (node is null)
            {
                lifetime.StopApplication();
                return;
            }
        }
    }

    // A damaged state is that of nobody: set aside, and the slot's keeper enrols anew.
    bool IsSound()
    {
        try
        {
            state.Check();
            return true;
        }
        catch (AgentStateException e) when (e.IsDamage)
        {
            LogDamaged(log, e.Message, state.SetAside());
            return false;
        }
    }

    async Task RunMembershipAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var services = scope.ServiceProvider;
        var membership = new Running(services.GetRequiredService<GatewayLoop>(), services.GetRequiredService<InventoryReporter>(), services.GetRequiredService<ControlLink>(), services.GetRequiredService<TunnelWatch>());
        _successor = null;
        membership.Loop.OthersCarry = _othersCarry;
        membership.Link.Inbox = services.GetRequiredService<ControlInbox>();
        try
        {
            foreach (var part in membership.Parts)
            {
                await part.StartAsync(cancellationToken);
            }

            _running = membership;
            // Whoever set it meanwhile did not reach it.
            membership.Loop.OthersCarry = _othersCarry;
            // The loop ends when it has left; another part only by a bug, which must be loud.
            await await Task.WhenAny(membership.Parts.Select(p => p.ExecuteTask!));
            if (!membership.Loop.HasLeft && !cancellationToken.IsCancellationRequested)
            {
                throw new InvalidOperationException("a part of the membership ended though nobody left");
            }
        }
        finally
        {
            (_running, _successor) = (null, null);
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

    [LoggerMessage(5009, LogLevel.Error, "The gateway failed and is tried again in {Seconds:0.#} s; the node goes on without it: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason, double seconds);

    [LoggerMessage(5010, LogLevel.Error, "The gateway's state is damaged ({Reason}); it was set aside as {Directory}, and this node enrols anew")]
    static partial void LogDamaged(ILogger logger, string reason, string directory);
}
