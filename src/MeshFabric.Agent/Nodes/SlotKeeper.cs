using k8s.Autorest;
using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Files;
using MeshFabric.Contracts.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Nodes;

/// <summary>Makes this node a gateway when its cluster needs one here: takes a slot, enrols under its name, renews it, and ends when it is no longer its own.</summary>
/// <remarks>Without the cluster's API everything stays as it is: a gateway goes on carrying traffic.</remarks>
sealed partial class SlotKeeper(NodeSettings settings, ClusterApi api, AgentStateDirectory state, GatewayRole gateway, TimeProvider time, ILogger<SlotKeeper> log) : BackgroundService
{
    static readonly TimeSpan Renewal = TimeSpan.FromSeconds(4);
    static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    readonly SlotLeases _leases = new(api.Client, settings.Namespace, settings.Node, time);
    long? _renewedAt;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Turns.RunAsync(Look, time, TurnAsync, Describe, reason => LogFailed(log, reason), stoppingToken);

    string? Describe(Exception e) => e switch
    {
        HttpOperationException => KubernetesErrors.Describe(e, api.Client.BaseUri, "read and write leases", RbacRule.Leases(settings.Namespace)),
        EnrolmentException or AgentStateException or InventoryFileException or UnauthorizedAccessException => e.Message,
        _ => KubernetesErrors.IsExpected(e) ? e.Message : null,
    };

    async Task TurnAsync(CancellationToken cancellationToken)
    {
        if (api.Nodes is not { } nodes || (_renewedAt is { } at && time.GetElapsedTime(at) < Renewal && state.IsEnrolled))
        {
            return;
        }

        var slots = GatewayElection.Slots(settings.Gateways, await _leases.ReadAsync(cancellationToken));
        var mine = slots.FirstOrDefault(s => s.Holder == settings.Node && !s.Expired)?.Name;
        if (mine is null && GatewayElection.Choose(nodes, slots, settings.Node) is { } chosen && await _leases.HoldAsync(chosen, cancellationToken))
        {
            LogTaken(log, settings.Node, chosen);
            mine = chosen;
        }
        else if (mine is not null && !GatewayElection.MayKeep(nodes, settings.Node, slots))
        {
            await _leases.ReleaseAsync(mine, cancellationToken);
            gateway.Leave($"{settings.Node} may no longer be a gateway, and another node can");
            return;
        }
        else if (mine is not null)
        {
            await _leases.HoldAsync(mine, cancellationToken);
        }

        _renewedAt = mine is null ? null : time.GetTimestamp();
        await EnrolmentAsync(mine, slots, cancellationToken);
    }

    async Task EnrolmentAsync(string? mine, IReadOnlyList<GatewaySlot> slots, CancellationToken cancellationToken)
    {
        if (!state.IsEnrolled)
        {
            if (mine is not null)
            {
                await EnrolAsync(mine, cancellationToken);
            }

            return;
        }

        var enrolled = state.ReadIdentity().Gateway;
        // Only a lease that another node holds is a reason to go: one that is missing is made again.
        if (enrolled != mine && slots.FirstOrDefault(s => s.Name == enrolled) is not { IsFree: true })
        {
            gateway.Leave(mine is null ? $"another node is gateway {enrolled} now" : $"this node is gateway {mine} now, no longer {enrolled}");
        }
    }

    async Task EnrolAsync(string slot, CancellationToken cancellationToken)
    {
        if (!JoinToken.TryDecode(await File.ReadAllTextAsync(settings.TokenFile, cancellationToken), out var token))
        {
            throw new EnrolmentException($"{settings.TokenFile} holds no join token: it begins with mfj1_ (mfctl token create --standing --cluster NAME)");
        }

        var node = api.Node(settings.Node) ?? throw new EnrolmentException($"the cluster's API knows no node {settings.Node}");
        var inventory = new InventorySettings(null, settings.Kubeconfig, settings.Context, settings.Kubeconfig is null, settings.PodCidrs);
        using var logs = LoggerFactory.Create(_ => { });
        using var source = inventory.Open(api, time, logs)!;
        var now = InventoryDocument.Of(await FirstReading.OfAsync(source, inventory.Describe(), cancellationToken));
        var identity = await Enroller.JoinAsync(
            state, token, new EnrolmentRequest(null, slot, NodeAddress.Endpoints(node, settings.ListenPort), settings.ListenPort, now, inventory), cancellationToken);
        LogEnrolled(log, settings.Node, identity.Gateway, identity.Cluster, identity.Server);
    }

    [LoggerMessage(5411, LogLevel.Information, "{Node} takes the gateway slot {Slot}")]
    static partial void LogTaken(ILogger logger, string node, string slot);

    [LoggerMessage(5412, LogLevel.Information, "{Node} is gateway {Gateway} of cluster {Cluster} now, at {Server}")]
    static partial void LogEnrolled(ILogger logger, string node, string gateway, string cluster, string server);

    [LoggerMessage(5413, LogLevel.Warning, "Gateways: {Reason}; trying again")]
    static partial void LogFailed(ILogger logger, string reason);
}
