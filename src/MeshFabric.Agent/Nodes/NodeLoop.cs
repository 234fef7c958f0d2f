using System.Net;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.State;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Netlink;
using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Nodes;

/// <summary>Role <c>node</c>: keeps this node as its cluster's gateways want it, and tells them what is to be known of it. Goes on from disk while the cluster's API is gone.</summary>
sealed partial class NodeLoop(NodeSettings settings, ClusterApi api, GatewayRole gateway, NodeState state, LinuxSysctls sysctls, INodeObserver observer, AgentView view, TimeProvider time, ILogger<NodeLoop> log) : BackgroundService
{
    static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(500);

    // nf_tables tells of its changes, and with it iptables-nft; iptables-legacy does not. Each look starts processes: a service proxy that writes all the time is not followed faster.
    static readonly TimeSpan FirewallCheck = TimeSpan.FromSeconds(30);
    static readonly TimeSpan LegacyCheck = TimeSpan.FromSeconds(3);
    static readonly TimeSpan SoonestCheck = TimeSpan.FromSeconds(1);

    // The plug-in's files, links and rules change seldom, and reading them starts processes.
    static readonly TimeSpan ObservationPeriod = TimeSpan.FromSeconds(30);
    static readonly TimeSpan SoonestObservation = TimeSpan.FromSeconds(5);

    // A gateway's agent that restarts has its plan from disk in no time: without it the ways out of its tunnels would be taken away for a turn.
    static readonly TimeSpan GatewayStart = TimeSpan.FromSeconds(5);

    readonly long _started = time.GetTimestamp();
    readonly OverlayFile _file = new(state.Directory);
    readonly GatewayProbes _probes = new(time);
    readonly NodeReporter _reporter = new(settings, api, time);
    OverlayFacts _facts = OverlayFacts.Empty;
    NodeObservation? _observation;
    long _observedAt;
    bool _observeSoon;
    volatile bool _pathsChanged;
    int _kernelChanges = (int)KernelChange.Firewall;
    long _firewallCheckedAt;
    string? _failed;

    /// <summary>The plan that is in force; null before the first facts.</summary>
    public NodeConfig? Config { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var overlay = new LinuxOverlay();
        var reconciler = new NodeReconciler(overlay, new LinuxNodeFirewall(), sysctls);
        var drift = new DriftWatch(Noticed, time, log).RunAsync(stoppingToken);
        using var answers = new GatewayAnswers(() => gateway.Carries, time);
        var probing = _probes.RunAsync(PathsChanged, stoppingToken);
        var reporting = _reporter.RunAsync(e => KubernetesErrors.Describe(e, api.Client.BaseUri, "write its MeshNode", ObjectKinds.MeshNodes.Rule), reason => LogReportFailed(log, reason), stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await TurnAsync(overlay, reconciler, answers, stoppingToken);
                _failed = null;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (_failed != e.Message)
                {
                    _failed = e.Message;
                    LogTurnFailed(log, e.Message);
                }
            }
            catch (OperationCanceledException)
            {
                break;
            }

            Show();
            await api.Changed.WaitAsync(Turn, stoppingToken);
        }

        await probing;
        await reporting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _probes.Dispose();
        await drift.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    async Task TurnAsync(LinuxOverlay overlay, NodeReconciler reconciler, GatewayAnswers answers, CancellationToken cancellationToken)
    {
        if (_pathsChanged && Config is not null && _observation is { } last)
        {
            // Before all else: what goes to a dead gateway is lost until then.
            _pathsChanged = false;
            await DetouredAsync(() => overlay.ApplyAsync(Plan(_facts, last), cancellationToken));
        }

        var observation = await ObserveAsync(cancellationToken);
        // First of all: that the overlay's port is taken is why what follows cannot be done.
        _reporter.Tell(observation, overlay.TakenPorts(), Config?.Findings ?? []);
        var facts = api.Facts ?? _file.Read();
        if (facts is not null && !(gateway.IsStarting && time.GetElapsedTime(_started) < GatewayStart))
        {
            var config = Plan(facts, observation);
            (Config, _facts) = (config, facts);
            await DetouredAsync(() => reconciler.ReconcileAsync(config, FirewallDue(), cancellationToken));
            _probes.Want(facts, config, overlay.LinkIndex);
            answers.Want(facts, config, overlay.LinkIndex);
            if (api.Facts is not null)
            {
                _file.Write(facts);
            }
        }
    }

    // The gateway of this node relies on the way by others: it is told of it once it is there, and that it goes before it is taken away.
    async Task DetouredAsync(Func<Task> apply)
    {
        if (!_probes.OthersCarry)
        {
            gateway.OthersCarry = false;
        }

        await apply();
        gateway.OthersCarry = _probes.OthersCarry;
        gateway.OthersAnswer = _probes.AnyAnswers;
    }

    NodeConfig Plan(OverlayFacts facts, NodeObservation observation)
    {
        var tunnels = gateway.Config is { } planned ? planned.Devices.Select(d => d.Name).ToValueList() : [];
        return NodePlanner.Plan(facts, settings.Node, _probes.IsAlive, tunnels, observation.JudgesForwarding);
    }

    void PathsChanged()
    {
        _pathsChanged = true;
        api.Changed.Wake();
    }

    void Show() => view.Node(new NodeStatus(
        settings.Node,
        Config is not null,
        _failed ?? "",
        api.Failure ?? "",
        Config?.Overlay?.Port ?? 0,
        _facts.Gateways.Select(g => new GatewaySeen(g.Name, g.Node, _probes.IsAlive(g.Name))).ToValueList(),
        Config?.Routes.Count ?? 0,
        Config?.Findings ?? []));

    async Task<NodeObservation> ObserveAsync(CancellationToken cancellationToken)
    {
        var age = time.GetElapsedTime(_observedAt);
        if (_observation is null || age > ObservationPeriod || (_observeSoon && age > SoonestObservation))
        {
            _observation = await observer.ObserveAsync(cancellationToken);
            _observedAt = time.GetTimestamp();
            _observeSoon = false;
        }

        return _observation;
    }

    void Noticed(KernelChange change)
    {
        Interlocked.Or(ref _kernelChanges, (int)change);
        _observeSoon = true;
        api.Changed.Wake();
    }

    bool FirewallDue()
    {
        var age = time.GetElapsedTime(_firewallCheckedAt);
        var changed = ((KernelChange)Volatile.Read(ref _kernelChanges)).HasFlag(KernelChange.Firewall);
        if (age < SoonestCheck || (!changed && age < (IptablesForward.LegacyIsInForce ? LegacyCheck : FirewallCheck)))
        {
            return false;
        }

        Interlocked.Exchange(ref _kernelChanges, 0);
        _firewallCheckedAt = time.GetTimestamp();
        return true;
    }

    [LoggerMessage(5401, LogLevel.Warning, "Could not make the node as wanted and will try again: {Reason}")]
    static partial void LogTurnFailed(ILogger logger, string reason);

    [LoggerMessage(5402, LogLevel.Warning, "Could not tell others of this node and will try again: {Reason}")]
    static partial void LogReportFailed(ILogger logger, string reason);
}
