using k8s.Autorest;
using k8s.Models;
using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Files;
using MeshFabric.Contracts.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Nodes;

/// <summary>Makes this node a gateway when its cluster needs one here: takes a slot, enrols under its name, renews it, and makes way for whoever has it next.</summary>
/// <remarks>Without the cluster's API everything stays as it is: a gateway goes on carrying traffic.</remarks>
sealed partial class SlotKeeper(NodeSettings settings, ClusterApi api, AgentStateDirectory state, GatewayRole gateway, AgentView view, TimeProvider time, ILogger<SlotKeeper> log) : BackgroundService
{
    static readonly TimeSpan Renewal = TimeSpan.FromSeconds(4);
    static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    // After a failed enrolment another node gets its turn.
    static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(10), LongestPause = TimeSpan.FromMinutes(5);

    // Whoever has given its slot back and finds no successor is needed after all.
    static readonly TimeSpan Succession = TimeSpan.FromSeconds(30);

    // How long a gateway may fail before another node gets its slot.
    static readonly TimeSpan FailureLimit = TimeSpan.FromSeconds(60);

    readonly SlotLeases _leases = new(api.Client, settings.Namespace, settings.Node, time);
    long? _renewedAt;
    long? _yieldsAt;
    long _workedAt = time.GetTimestamp();
    // As the gateway of that slot, or as a leaf.
    (Task Task, string? Slot)? _enrolment;
    TimeSpan _pause;
    long _failedAt;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Turns.RunAsync(Look, time, TurnAsync, Describe, reason => LogFailed(log, reason), stoppingToken);

    // Nothing that fails here is a reason to end the node's part.
    string Describe(Exception e) => e switch
    {
        HttpOperationException => KubernetesErrors.Describe(e, api.Client.BaseUri, "read and write leases", RbacRule.Leases(settings.Namespace)),
        EnrolmentException or AgentStateException or InventoryFileException or UnauthorizedAccessException => e.Message,
        _ => KubernetesErrors.IsExpected(e) ? e.Message : $"{e.GetType().Name}: {e.Message}",
    };

    async Task TurnAsync(CancellationToken cancellationToken)
    {
        if (api.Nodes is not { } nodes || (_renewedAt is { } at && time.GetElapsedTime(at) < Renewal && state.IsEnrolled))
        {
            return;
        }

        var slots = await _leases.ReadAsync(settings.Gateways, cancellationToken);
        gateway.Taken = slots.Where(s => !s.IsFree && s.Holder != settings.Node).Select(s => s.Name).ToHashSet();
        if (Works())
        {
            _workedAt = time.GetTimestamp();
        }

        var mine = await HoldAsync(nodes, slots, cancellationToken);
        _renewedAt = mine is null || _yieldsAt is not null ? null : time.GetTimestamp();
        await EnrolmentAsync(mine, cancellationToken);
        if (state.IsEnrolled)
        {
            var identity = state.ReadIdentity();
            if (identity.IsLeaf)
            {
                YieldLeaf(mine);
            }
            else
            {
                Yield(mine, identity.Gateway, nodes, slots);
            }
        }
    }

    // The slot that is this node's from now on, or null.
    async Task<string?> HoldAsync(IReadOnlyList<V1Node> nodes, IReadOnlyList<GatewaySlot> slots, CancellationToken cancellationToken)
    {
        var mine = slots.FirstOrDefault(s => s.Holder == settings.Node && !s.Expired)?.Name;
        if (mine is not null && time.GetElapsedTime(_workedAt) > FailureLimit && GatewayElection.IsAnybodyFree(nodes, slots))
        {
            await GiveUpAsync(mine, cancellationToken);
            LogFailing(log, settings.Node, mine, FailureLimit.TotalSeconds);
            return null;
        }

        var yields = mine is not null && !GatewayElection.MayKeep(nodes, slots, settings.Node, (name, node) => gateway.OthersCarry && IsPublished(name, node));
        _yieldsAt = yields ? _yieldsAt ?? time.GetTimestamp() : null;
        // Whoever takes it has the far gateways' tunnels moments later: by then nobody may send here any more.
        if (yields && (!gateway.OthersCarry || time.GetElapsedTime(_yieldsAt!.Value) > GatewayRole.DrainTime))
        {
            _yieldsAt = null;
            await _leases.ReleaseAsync(mine!, cancellationToken);
            LogReleased(log, settings.Node, mine!);
            return null;
        }

        var taken = mine is null;
        if (taken)
        {
            // As a gateway it has not failed yet.
            _workedAt = time.GetTimestamp();
        }

        mine ??= time.GetElapsedTime(_failedAt) >= _pause ? GatewayElection.Choose(nodes, slots, settings.Node) : null;
        if (mine is null || !await _leases.HoldAsync(mine, cancellationToken))
        {
            return null;
        }

        if (taken)
        {
            LogTaken(log, settings.Node, mine);
        }

        return mine;
    }

    bool IsPublished(string gateway, string node) => api.MeshGateway(gateway) is { } published && published.Spec.Node == node;

    // Whoever carries nothing is at fault itself where others carry, or where its turns fail; else the far side may be.
    bool Works() => !state.IsEnrolled || (gateway.Config is not null && (gateway.Carries || gateway.IsDrained || (view.Status.Error.Length == 0 && !gateway.OthersAnswer)));

    async Task GiveUpAsync(string mine, CancellationToken cancellationToken)
    {
        _pause = Longer(_pause);
        (_failedAt, _workedAt) = (time.GetTimestamp(), time.GetTimestamp());
        await _leases.ReleaseAsync(mine, cancellationToken);
    }

    static TimeSpan Longer(TimeSpan pause) => TimeSpan.FromTicks(Math.Clamp(2 * pause.Ticks, ShortestPause.Ticks, LongestPause.Ticks));

    // Beside the turns: it takes a minute where the control service does not answer, and the slot must be renewed meanwhile.
    async Task EnrolmentAsync(string? mine, CancellationToken cancellationToken)
    {
        if (_enrolment is { Task.IsCompleted: true } ended)
        {
            _enrolment = null;
            try
            {
                await ended.Task;
                (_pause, _leafPause) = ended.Slot is null ? (_pause, TimeSpan.Zero) : (TimeSpan.Zero, _leafPause);
            }
            catch (Exception) when (!cancellationToken.IsCancellationRequested)
            {
                if (ended.Slot is null)
                {
                    LeafFailed();
                }
                else if (ended.Slot == mine)
                {
                    await GiveUpAsync(mine, cancellationToken);
                }

                throw;
            }
        }
        else if (_enrolment is null && !state.IsEnrolled)
        {
            _enrolment = mine is not null ? (EnrolAsync(mine, cancellationToken), mine) : IsToBeLeaf() ? (EnrolLeafAsync(cancellationToken), null) : null;
        }
    }

    // Only a lease that another node holds is a reason to go: one that is missing is made again.
    void Yield(string? mine, string enrolled, IReadOnlyList<V1Node> nodes, IReadOnlyList<GatewaySlot> slots)
    {
        var slot = slots.FirstOrDefault(s => s.Name == enrolled);
        gateway.Successor = enrolled == mine || slot is { IsFree: true } || slot?.Holder == settings.Node ? null
            : mine is not null ? $"this node is gateway {mine} now, no longer {enrolled}"
            : slot is null ? $"the cluster wants {settings.Gateways} gateways, and no {enrolled}"
            : $"node {slot.Holder} is gateway {enrolled} now";
        var released = mine is null && slot is { IsFree: true } && slot.FreeFor < Succession && !GatewayElection.IsCandidate(nodes, settings.Node);
        gateway.Drain((gateway.Successor is not null || released || _yieldsAt is not null) && gateway.OthersCarry);
    }

    async Task EnrolAsync(string slot, CancellationToken cancellationToken)
    {
        var (token, node) = (await TokenAsync(cancellationToken), OwnNode());
        var inventory = settings.Inventory;
        using var logs = LoggerFactory.Create(_ => { });
        using var source = inventory.Open(api, time, logs)!;
        var now = InventoryDocument.Of(await FirstReading.OfAsync(source, inventory.Describe(), cancellationToken));
        var identity = await Enroller.JoinAsync(
            state, token, new EnrolmentRequest(null, slot, NodeAddress.Endpoints(node, settings.ListenPort), settings.ListenPort, now, inventory) { Node = settings.Node }, cancellationToken);
        LogEnrolled(log, settings.Node, identity.Gateway, identity.Cluster, identity.Server);
    }

    async Task<JoinToken> TokenAsync(CancellationToken cancellationToken) => JoinToken.TryDecode(await File.ReadAllTextAsync(settings.TokenFile, cancellationToken), out var token)
        ? token
        : throw new EnrolmentException($"{settings.TokenFile} holds no join token: it begins with mfj1_ (mfctl token create --standing --cluster NAME)");

    V1Node OwnNode() => api.Node(settings.Node) ?? throw new EnrolmentException($"the cluster's API knows no node {settings.Node}");

    [LoggerMessage(5411, LogLevel.Information, "{Node} takes the gateway slot {Slot}")]
    static partial void LogTaken(ILogger logger, string node, string slot);

    [LoggerMessage(5415, LogLevel.Error, "{Node} does not work as gateway {Slot} for {Seconds} s and gives the slot back: another node gets its turn")]
    static partial void LogFailing(ILogger logger, string node, string slot, double seconds);

    [LoggerMessage(5414, LogLevel.Information, "{Node} should no longer be a gateway and gives the slot {Slot} back; it carries traffic until another has it")]
    static partial void LogReleased(ILogger logger, string node, string slot);

    [LoggerMessage(5412, LogLevel.Information, "{Node} is gateway {Gateway} of cluster {Cluster} now, at {Server}")]
    static partial void LogEnrolled(ILogger logger, string node, string gateway, string cluster, string server);

    [LoggerMessage(5413, LogLevel.Warning, "Gateways: {Reason}; trying again")]
    static partial void LogFailed(ILogger logger, string reason);
}
