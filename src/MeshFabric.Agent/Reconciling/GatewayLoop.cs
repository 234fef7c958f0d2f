using System.Threading.Channels;
using MeshFabric.Agent.Facts;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Messaging;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.WireGuard;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Reconciling;

/// <summary>The agent's one loop: facts to plan to host to report. Everything else only wakes it or hands it facts.</summary>
public sealed partial class GatewayLoop(AgentStateDirectory state, IControlLink link, Func<IWireGuardBackend> openBackend, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<GatewayLoop> log)
    : BackgroundService, IControlInbox
{
    static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);
    static readonly TimeSpan QuickTurn = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan HeartbeatPeriod = TimeSpan.FromSeconds(15);
    static readonly TimeSpan CompletePeriod = TimeSpan.FromSeconds(60);

    readonly Lock _factsLock = new();
    readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    readonly TunnelWatch _tunnels = new(time);
    FactsReplica _replica = new(null);
    AgentIdentity? _identity;
    GatewayReconciler? _reconciler;
    GatewayConfig? _config;
    long _appliedRevision;
    bool _reportDue = true;
    volatile bool _leaving;
    DateTimeOffset _lastHeartbeat;
    DateTimeOffset _lastComplete;
    string _backend = "";

    public Task OnFactsChangedAsync(FactsChanged message, CancellationToken cancellationToken) => AcceptAsync(() => _replica.Apply(message), cancellationToken);

    public Task OnFactsSnapshotAsync(FactsSnapshot message, CancellationToken cancellationToken) => AcceptAsync(() => _replica.Apply(message), cancellationToken);

    public Task OnProbeTunnelsAsync(ProbeTunnels message, CancellationToken cancellationToken)
    {
        // Takes seconds: the next message must not wait for it.
        _ = AnswerAsync(message);
        return Task.CompletedTask;
    }

    async Task AnswerAsync(ProbeTunnels message)
    {
        try
        {
            await link.SendAsync(await _tunnels.ProbeAsync(_config, message, CancellationToken.None), CancellationToken.None);
        }
        catch (Exception e)
        {
            // Whoever asked sees that no answer came.
            LogProbeFailed(log, message.ProbeId, e.Message);
        }
    }

    public Task OnLeaveMeshAsync(LeaveMesh message, CancellationToken cancellationToken)
    {
        LogLeaving(log, message.Reason);
        _leaving = true;
        Wake();
        return Task.CompletedTask;
    }

    public async Task OnConnectedAsync(CancellationToken cancellationToken)
    {
        _lastHeartbeat = default;
        _lastComplete = default;
        await link.SendAsync(new RequestFacts(_replica.Revision, "connected"), cancellationToken);
        Wake();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!await WaitForEnrolmentAsync(stoppingToken))
        {
            return;
        }

        await using var backend = openBackend();
        _backend = backend.Name;
        LogBackend(log, backend.Name);
        using var links = new LinuxLinks();
        using var routes = new LinuxRouteTable();
        LinuxSysctls.PrepareHost();
        _reconciler = new GatewayReconciler(backend, links, routes, new LinuxFirewall(), state.DeviceKey(), time);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await TurnAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogTurnFailed(log, e.Message);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            if (_leaving)
            {
                state.Delete();
                lifetime.StopApplication();
                return;
            }

            await SleepAsync(_tunnels.AllConnected ? Turn : QuickTurn, stoppingToken);
        }
    }

    async Task<bool> WaitForEnrolmentAsync(CancellationToken cancellationToken)
    {
        if (!state.IsEnrolled)
        {
            LogWaiting(log, state.Directory);
        }

        while (!state.IsEnrolled)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancellationToken.IsCancellationRequested)
            {
                return false;
            }
        }

        _identity = state.ReadIdentity();
        var known = state.ReadFacts(out var setAside);
        if (setAside is not null)
        {
            LogSetAside(log, setAside);
        }

        lock (_factsLock)
        {
            _replica = new FactsReplica(known);
        }

        return true;
    }

    async Task TurnAsync(CancellationToken cancellationToken)
    {
        Domain.MeshFacts? facts;
        lock (_factsLock)
        {
            facts = _replica.Facts;
        }

        if (_leaving)
        {
            await _reconciler!.RemoveAsync(cancellationToken);
            return;
        }

        if (facts is not null)
        {
            // Pure and cheap; only replanned when the facts are others.
            if (_config is null || _config.Revision != facts.Revision)
            {
                _config = MeshPlanner.Plan(facts, _identity!.ClusterId, _identity.GatewayId);
                _reportDue = true;
                _lastComplete = default;
            }

            await _reconciler!.ReconcileAsync(_config, _tunnels.IsAlive, cancellationToken);
            _appliedRevision = _config.Revision;
            _reportDue |= _tunnels.Update(_config, _reconciler.States, _reconciler.Made);
        }

        await ReportAsync(cancellationToken);
    }

    async Task ReportAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (!link.IsConnected)
        {
            return;
        }

        if (now - _lastHeartbeat >= HeartbeatPeriod
            && await link.SendAsync(new AgentHeartbeat(Setup.ProductVersion.Text, _replica.Revision, _appliedRevision, _tunnels.Connected, _tunnels.Wanted), cancellationToken))
        {
            _lastHeartbeat = now;
        }

        var complete = now - _lastComplete >= CompletePeriod;
        if (_config is null || (!_reportDue && !complete))
        {
            return;
        }

        var report = new GatewayReported(Setup.ProductVersion.Text, _backend, _replica.Revision, _appliedRevision, true, _tunnels.Report(_config), _config.Findings,
            await _reconciler!.ReadAsync(_config, cancellationToken));
        if (await link.SendAsync(report, cancellationToken))
        {
            _reportDue = false;
            _lastComplete = now;
            await link.SendAsync(new AgentHeartbeat(Setup.ProductVersion.Text, _replica.Revision, _appliedRevision, _tunnels.Connected, _tunnels.Wanted), cancellationToken);
        }
    }

    async Task AcceptAsync(Func<FactsOutcome> apply, CancellationToken cancellationToken)
    {
        FactsOutcome outcome;
        lock (_factsLock)
        {
            outcome = apply();
            if (outcome == FactsOutcome.Applied)
            {
                state.WriteFacts(_replica.Facts!);
            }
        }

        LogFacts(log, outcome, _replica.Revision);
        if (outcome == FactsOutcome.Gap)
        {
            await link.SendAsync(new RequestFacts(_replica.Revision, "gap"), cancellationToken);
        }

        Wake();
    }

    // From any thread, at any time: a wake-up that is already pending is enough.
    void Wake() => _wake.Writer.TryWrite(true);

    async Task SleepAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var until = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        until.CancelAfter(limit);
        Task woken = _wake.Reader.WaitToReadAsync(until.Token).AsTask();
        await woken.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _wake.Reader.TryRead(out _);
    }

    [LoggerMessage(5001, LogLevel.Information, "Waiting to be enrolled: run 'meshfabric-agent join --state {Directory} ...' on this host")]
    static partial void LogWaiting(ILogger logger, string directory);

    [LoggerMessage(5002, LogLevel.Information, "WireGuard backend: {Backend}")]
    static partial void LogBackend(ILogger logger, string backend);

    [LoggerMessage(5003, LogLevel.Warning, "Could not make the host as wanted and will try again: {Reason}")]
    static partial void LogTurnFailed(ILogger logger, string reason);

    [LoggerMessage(5004, LogLevel.Warning, "The facts on disk were damaged and set aside as {File}; they are fetched anew")]
    static partial void LogSetAside(ILogger logger, string file);

    [LoggerMessage(5005, LogLevel.Information, "Facts {Outcome}, now at revision {Revision}")]
    static partial void LogFacts(ILogger logger, FactsOutcome outcome, long revision);

    [LoggerMessage(5007, LogLevel.Warning, "Probe {ProbeId} could not be answered: {Reason}")]
    static partial void LogProbeFailed(ILogger logger, string probeId, string reason);

    [LoggerMessage(5006, LogLevel.Warning, "Leaving the mesh: {Reason}")]
    static partial void LogLeaving(ILogger logger, string reason);
}
