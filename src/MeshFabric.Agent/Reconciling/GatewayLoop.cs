using MeshFabric.Agent.Facts;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.Reporting;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Planning;
using MeshFabric.Netlink;
using MeshFabric.ServiceDefaults;
using MeshFabric.WireGuard;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Reconciling;

/// <summary>The agent's one loop: facts to plan to host to report. Everything else only wakes it.</summary>
public sealed partial class GatewayLoop(
    AgentStateDirectory state, FactsKeeper facts, TunnelWatch tunnels, AgentReporter reporter, AgentView view, Func<IWireGuardBackend> openBackend, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<GatewayLoop> log,
    NodeSettings? node = null)
    : BackgroundService
{
    static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);
    static readonly TimeSpan QuickTurn = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan EnrolmentCheck = TimeSpan.FromMilliseconds(200);

    // The kernel tells of changed tables at once; this is for the day it did not.
    static readonly TimeSpan FirewallCheck = TimeSpan.FromSeconds(10);

    readonly WakeSignal _signal = new();
    AgentIdentity? _identity;
    GatewayReconciler? _reconciler;
    long _appliedRevision;
    int _kernelChanges = (int)KernelChange.Firewall;
    long _firewallCheckedAt;
    volatile string? _leaving;

    /// <summary>The plan that is in force; null before the first facts.</summary>
    public GatewayConfig? Config { get; private set; }

    /// <summary>Look at everything now. From any thread, at any time.</summary>
    public void Wake() => _signal.Wake();

    /// <summary>Take everything off the host and end.</summary>
    public void Leave(string reason)
    {
        LogLeaving(log, reason);
        _leaving = reason;
        Wake();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!await WaitForEnrolmentAsync(stoppingToken))
        {
            return;
        }

        await using var backend = openBackend();
        LogBackend(log, backend.Name);
        using var host = new LinuxHost(state, isNode: node is not null);
        _reconciler = host.Reconciler(backend, state.DeviceKey(), time);
        var drift = new DriftWatch(Changed, time, log).RunAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // Asked once a turn: a request to leave that comes in the middle of one is for the next.
                if (_leaving is not null)
                {
                    await _reconciler.RemoveAsync(stoppingToken);
                    state.Delete();
                    lifetime.StopApplication();
                    break;
                }

                await TurnAsync(backend, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                view.Failed(e.Message);
                LogTurnFailed(log, e.Message);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            await _signal.WaitAsync(tunnels.AllConnected ? Turn : QuickTurn, stoppingToken);
        }

        await drift.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    void Changed(KernelChange change)
    {
        Interlocked.Or(ref _kernelChanges, (int)change);
        Wake();
    }

    async Task<bool> WaitForEnrolmentAsync(CancellationToken cancellationToken)
    {
        if (!state.IsEnrolled)
        {
            LogWaiting(log, state.Directory);
        }

        while (!state.IsEnrolled)
        {
            await Task.Delay(EnrolmentCheck, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancellationToken.IsCancellationRequested)
            {
                return false;
            }
        }

        _identity = state.ReadIdentity();
        view.Enrolled(_identity);
        facts.Load();
        return true;
    }

    async Task TurnAsync(IWireGuardBackend backend, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        if (facts.Facts is { } known)
        {
            // Pure and cheap; only replanned when the facts are others.
            if (Config is null || Config.Revision != known.Revision)
            {
                Config = MeshPlanner.Plan(known, _identity!.ClusterId, _identity.GatewayId);
                reporter.Repeat();
            }

            await _reconciler!.ReconcileAsync(Config, tunnels.IsAlive, FirewallDue(), cancellationToken);
            _appliedRevision = Config.Revision;
            if (tunnels.Update(Config, _reconciler.States, _reconciler.Made))
            {
                reporter.ReportSoon();
            }

            view.Applied(known, Config, backend.Name, _reconciler.Mtu, tunnels.Report(Config));
            view.Succeeded(time.GetElapsedTime(started));
        }

        await reporter.ReportAsync(Config, _appliedRevision, backend.Name, config => _reconciler!.ReadAsync(config, cancellationToken), cancellationToken);
    }

    bool FirewallDue()
    {
        var changes = (KernelChange)Interlocked.Exchange(ref _kernelChanges, 0);
        if (!changes.HasFlag(KernelChange.Firewall) && time.GetElapsedTime(_firewallCheckedAt) < FirewallCheck)
        {
            return false;
        }

        _firewallCheckedAt = time.GetTimestamp();
        return true;
    }

    [LoggerMessage(5001, LogLevel.Information, "Waiting to be enrolled: run 'meshfabric-agent join --state {Directory} ...' on this host")]
    static partial void LogWaiting(ILogger logger, string directory);

    [LoggerMessage(5002, LogLevel.Information, "WireGuard backend: {Backend}")]
    static partial void LogBackend(ILogger logger, string backend);

    [LoggerMessage(5003, LogLevel.Warning, "Could not make the host as wanted and will try again: {Reason}")]
    static partial void LogTurnFailed(ILogger logger, string reason);

    [LoggerMessage(5006, LogLevel.Warning, "Leaving the mesh: {Reason}")]
    static partial void LogLeaving(ILogger logger, string reason);
}
