using MeshFabric.Agent.Facts;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.Paths;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Reporting;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Transit;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Planning;
using MeshFabric.Netlink;
using MeshFabric.ServiceDefaults;
using MeshFabric.WireGuard;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Reconciling;

/// <summary>The loop of one membership: facts to plan to host to report. Everything else only wakes it. Ends when it has left.</summary>
public sealed partial class GatewayLoop(
    AgentStateDirectory state, FactsKeeper facts, DeviceKeys keys, MeshSecrets secrets, TunnelWatch tunnels, AgentReporter reporter, AgentView view, Func<IWireGuardBackend> openBackend, IHostSettings settings, TimeProvider time, ILogger<GatewayLoop> log,
    NodeSettings? node = null)
    : BackgroundService
{
    static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);
    static readonly TimeSpan QuickTurn = TimeSpan.FromMilliseconds(250);

    // While our devices' key changes: all others of the mesh wait for us.
    static readonly TimeSpan KeyTurn = TimeSpan.FromMilliseconds(100);

    // The kernel tells of changed tables at once; this is for the day it did not.
    static readonly TimeSpan FirewallCheck = TimeSpan.FromSeconds(10);

    readonly WakeSignal _signal = new();
    readonly WakeSignal _reports = new();
    AgentIdentity? _identity;
    GatewayReconciler? _reconciler;
    PathFinder? _paths;
    ReachExchange? _reach;
    long _appliedRevision;
    int _kernelChanges = (int)KernelChange.Firewall;
    long _firewallCheckedAt;
    volatile bool _pathsChanged;
    string? _leaving;
    volatile bool _drained;
    volatile bool _othersCarry;

    /// <summary>The plan that is in force; null before the first facts.</summary>
    public GatewayConfig? Config { get; private set; }

    /// <summary>Everything of the mesh was taken off the host.</summary>
    public bool HasLeft { get; private set; }

    /// <summary>Nobody is to send by this gateway. What still comes is carried.</summary>
    public bool IsDrained => _drained || Config is { Drained: true };

    /// <summary>By its own decision: it says so to the far gateways by answering no probes. They know it from the facts when it is an administrator's.</summary>
    public void Drain(bool drained)
    {
        if (_drained != drained)
        {
            _drained = drained;
            SteerSoon();
        }
    }

    /// <summary>On a node of a cluster: other gateways of it carry traffic, and the node's own routes lead to them where none of its tunnels does.</summary>
    public bool OthersCarry
    {
        set
        {
            if (_othersCarry != value)
            {
                _othersCarry = value;
                SteerSoon();
            }
        }
    }

    /// <summary>Look at everything now. From any thread, at any time.</summary>
    public void Wake() => _signal.Wake();

    /// <summary>Take everything off the host and end.</summary>
    public void Leave(string reason)
    {
        if (Interlocked.CompareExchange(ref _leaving, reason, null) is null)
        {
            LogLeaving(log, reason);
        }

        Wake();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _identity = state.ReadIdentity();
        view.Enrolled(_identity);
        facts.Load();
        keys.Load();
        secrets.Load();
        await using var backend = openBackend();
        LogBackend(log, backend.Name);
        using var host = new LinuxHost(settings, isNode: node is not null);
        using var reconciler = host.Reconciler(backend, keys.Current, time);
        _reconciler = reconciler;
        using var paths = new PathFinder(() => host.PathSocket(time), keys.Current, time, log);
        (_reconciler.Way, _reconciler.MtuOf, _reconciler.IsDown) = (paths.Way, tunnels.MtuOf, tunnels.IsDown);
        _reconciler.Keys = new TunnelKeys(secrets);
        _reconciler.OwnKey = device => keys.Of(_planes.Of(device));
        _paths = paths;
        using var reach = new ReachExchange(IsConnected, SteerSoon, time);
        _reach = reach;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var drift = new DriftWatch(Changed, time, log).RunAsync(ended.Token);
        var probing = tunnels.RunAsync(PathsChanged, ended.Token);
        var finding = paths.RunAsync(Wake, ended.Token);
        var asking = reach.RunAsync(ended.Token);
        var reporting = ReportAsync(_reconciler, backend.Name, ended.Token);
        var keying = WatchKeysAsync(_reconciler, ended.Token);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // Asked once a turn: a request to leave that comes in the middle of one is for the next.
                if (Volatile.Read(ref _leaving) is not null)
                {
                    await _reconciler.RemoveAsync(stoppingToken);
                    HasLeft = true;
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

            _reports.Wake();
            await _signal.WaitAsync(_planes.IsChanging ? KeyTurn : tunnels.IsSettling ? QuickTurn : Turn, stoppingToken);
        }

        await ended.CancelAsync();
        await probing;
        await finding;
        await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await reporting;
        await keying;
        await drift.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    void PathsChanged()
    {
        reporter.ReportSoon();
        SteerSoon();
    }

    void SteerSoon()
    {
        _reach?.Recheck();
        _pathsChanged = true;
        Wake();
    }

    void Changed(KernelChange change)
    {
        Interlocked.Or(ref _kernelChanges, (int)change);
        Wake();
    }

    async Task TurnAsync(IWireGuardBackend backend, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        _reconciler!.Detour = DetourNow();
        await InheritAsync(_reconciler, cancellationToken);
        if (facts.Facts is { } known)
        {
            if (_pathsChanged && Config is not null)
            {
                // Before all else: what a dead path carried is lost until then.
                _pathsChanged = false;
                await _reconciler.SteerAsync(Config, IsAlive, cancellationToken);
            }

            // Pure and cheap; only replanned when the facts are others.
            if (Config is null || Config.Revision != known.Revision)
            {
                TakeOwnKey(known);
                Config = MeshPlanner.Plan(known, _identity!.ClusterId, _identity.GatewayId);
                _inherited = InheritedRoutes.Of(Config, _installed!, _started, time.GetUtcNow());
                _keyLooks.Wake();
                _reconciler.Detour = DetourNow();
            }

            if (Config.Firewall.IsDrained != _drained)
            {
                Config = Config with { Firewall = Config.Firewall with { IsDrained = _drained } };
            }

            await ChooseOwnKeysAsync(Config, cancellationToken);
            try
            {
                await _reconciler.ReconcileAsync(Config, IsAlive, FirewallDue(), cancellationToken);
                var used = keys.PublicOf(_planes.Used);
                if (Interlocked.Exchange(ref _appliedRevision, Config.Revision) != Config.Revision || keys.Used != used)
                {
                    keys.Used = used;
                    // Only now: a report of half of it would be taken for the whole.
                    reporter.Repeat();
                }
            }
            finally
            {
                // Also when a part failed: what is there carries traffic, and fails over.
                if (tunnels.Update(_reconciler.Applied ?? Config, _reconciler.States, _reconciler.Made, _reconciler.Bounds, _reconciler.Keys))
                {
                    reporter.ReportSoon();
                }

                _reach!.Update(Config, _reconciler.Made);
                // The far side of a tunnel may not know yet what the facts say: what its last handshake was made with is kept until there was another.
                secrets.Keep(Math.Min(known.OldestKeyEpoch, tunnels.OldestKeyEpoch));
                _paths!.Update(Config, _reconciler.Seen, tunnels.IsAlive);
            }

            view.Applied(known, Config, backend.Name, _reconciler.Mtu, tunnels.Report(Config));
            view.Succeeded(time.GetElapsedTime(started));
        }
    }

    // Beside the turns, not in them: a broker or a host that stands still takes seconds, and paths die meanwhile.
    async Task ReportAsync(GatewayReconciler reconciler, string backend, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await _reports.WaitAsync(Timeout.InfiniteTimeSpan, cancellationToken);
            try
            {
                await reporter.ReportAsync(Config, Volatile.Read(ref _appliedRevision), backend, config => reconciler.ReadAsync(config, cancellationToken), cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogReportFailed(log, e.Message);
            }
        }
    }

    Detour? DetourNow() => node is null ? null : !_othersCarry ? Detour.Never : IsDrained ? Detour.Always : Detour.WhereDead;

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

    [LoggerMessage(5002, LogLevel.Information, "WireGuard backend: {Backend}")]
    static partial void LogBackend(ILogger logger, string backend);

    [LoggerMessage(5003, LogLevel.Warning, "Could not make the host as wanted and will try again: {Reason}")]
    static partial void LogTurnFailed(ILogger logger, string reason);

    [LoggerMessage(5008, LogLevel.Warning, "Could not report and will try again: {Reason}")]
    static partial void LogReportFailed(ILogger logger, string reason);

    [LoggerMessage(5006, LogLevel.Warning, "Leaving the mesh: {Reason}")]
    static partial void LogLeaving(ILogger logger, string reason);
}
