using k8s.Models;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Nodes;

/// <summary>While this node is a gateway: tells the other nodes of its cluster what to send to it, by the cluster's own API; and that it is one no longer.</summary>
sealed partial class GatewayPublisher(NodeSettings settings, ClusterApi api, AgentStateDirectory state, GatewayRole gateway, AgentView view, TimeProvider time, ILogger<GatewayPublisher> log) : BackgroundService
{
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    // Nodes follow what is published in much less.
    static readonly TimeSpan Following = TimeSpan.FromSeconds(1);

    long? _drainedAt;
    long? _withdrawnAt;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Turns.RunAsync(
        Look, time, PublishAsync, e => KubernetesErrors.IsExpected(e) ? KubernetesErrors.Describe(e, api.Client.BaseUri, "write its MeshGateway", ObjectKinds.MeshGateways.Rule) : null, reason => LogFailed(log, reason), stoppingToken);

    async Task PublishAsync(CancellationToken cancellationToken)
    {
        if (!state.IsEnrolled)
        {
            (_drainedAt, _withdrawnAt) = (null, null);
            await WithdrawAsync(null, cancellationToken);
            return;
        }

        if (gateway.Successor is { } reason)
        {
            await MakeWayAsync(reason, cancellationToken);
            return;
        }

        (_drainedAt, _withdrawnAt) = (null, null);
        if (gateway.Config is { IsLeaf: true })
        {
            // No other node sends anything to it.
            await WithdrawAsync(null, cancellationToken);
            return;
        }

        // A slot that another node holds by now is that one's to publish.
        if (gateway.Config is not { } config || api.Facts is not { } facts || gateway.Taken is not { } taken || taken.Contains(config.Gateway))
        {
            return;
        }

        await WithdrawAsync(config.Gateway, cancellationToken);

        // The first gateway by name decides on the port, its successor goes on with it.
        var lead = facts.Lead;
        var port = lead is null || lead.Name == config.Gateway ? NodePlanner.ChoosePort(facts.Nodes, lead?.Port) : lead.Port;
        var spec = new MeshGatewaySpec
        {
            Node = settings.Node,
            Overlay = new OverlaySpec { Vni = NodePlanner.Vni, Port = port },
            Mtu = SmallestMtu(view.Status),
            LocalPrefixes = Texts(config.Firewall.LocalPrefixes),
            RemotePrefixes = Texts(config.Firewall.RemotePrefixes),
            TunnelAddresses = Texts(config.Firewall.TunnelAddresses),
            ServicePrefixes = Texts(config.Firewall.ServicePrefixes),
            Ordinal = config.Ordinal,
            Granularity = config.Granularity == Granularity.Node ? MeshGatewaySpec.NodeGranularity : null,
        };
        var present = api.MeshGateway(config.Gateway);
        if (present is not null && MeshGatewaySpec.Same(present.Spec, spec))
        {
            await ForgetGoneAsync(config, facts, cancellationToken);
            return;
        }

        await api.WriteAsync(MeshGatewayObject.Plural, new MeshGatewayObject { Metadata = new V1ObjectMeta { Name = config.Gateway, ResourceVersion = present?.Metadata.ResourceVersion }, Spec = spec }, cancellationToken);
    }

    // Make before break: others carry first, then nobody sends here any more, then the tunnels go.
    async Task MakeWayAsync(string reason, CancellationToken cancellationToken)
    {
        // Nobody else carries anything (yet): what this one does is better than nothing. A leaf whose node has a slot goes all the same, for its whole cluster waits for that gateway.
        if (!gateway.OthersCarry && gateway.Config is not { IsLeaf: true, Granularity: Granularity.Node })
        {
            (_drainedAt, _withdrawnAt) = (null, null);
            return;
        }

        _drainedAt ??= time.GetTimestamp();
        if (time.GetElapsedTime(_drainedAt.Value) < GatewayRole.DrainTime)
        {
            return;
        }

        await WithdrawAsync(null, cancellationToken);
        _withdrawnAt ??= time.GetTimestamp();
        if (time.GetElapsedTime(_withdrawnAt.Value) >= Following)
        {
            gateway.Leave(reason);
        }
    }

    // A gateway that this node was once, before there were to be fewer: nobody else knows that it is gone. One that another node took is written over by that
    // one; until then it says what the mesh's prefixes are, which must not leave in clear.
    async Task WithdrawAsync(string? current, CancellationToken cancellationToken)
    {
        foreach (var old in (api.MeshGateways ?? []).Where(g => g.Spec.Node == settings.Node && g.Metadata.Name != current && gateway.Taken?.Contains(g.Metadata.Name) != true))
        {
            await api.DeleteAsync(MeshGatewayObject.Plural, old, cancellationToken);
            LogWithdrawn(log, settings.Node, old.Metadata.Name);
        }
    }

    // Of nodes that are no longer part of the cluster: while this one says what the mesh's prefixes are, nobody needs them any more.
    async Task ForgetGoneAsync(GatewayConfig own, OverlayFacts facts, CancellationToken cancellationToken)
    {
        if (facts.Lead?.Name != own.Gateway || !gateway.Carries || api.Nodes is not { } nodes)
        {
            return;
        }

        foreach (var gone in (api.MeshGateways ?? []).Where(g => !nodes.Any(n => n.Metadata.Name == g.Spec.Node)))
        {
            await api.DeleteAsync(MeshGatewayObject.Plural, gone, cancellationToken);
            LogWithdrawn(log, gone.Spec.Node, gone.Metadata.Name);
        }
    }

    static List<string> Texts(ValueList<Cidr> cidrs) => cidrs.Select(c => c.ToString()).ToList();

    // Nodes do not know which tunnel a packet will take, and their overlay takes no jumbo frames.
    static int SmallestMtu(AgentStatus status) =>
        Math.Min(MtuSearch.Usual, status.Tunnels.Where(t => t.State == TunnelState.Connected && t.MtuBytes > 0).Select(t => t.MtuBytes).DefaultIfEmpty(status.Mtu).Min());

    [LoggerMessage(5421, LogLevel.Warning, "Gateway: {Reason}; trying again")]
    static partial void LogFailed(ILogger logger, string reason);

    [LoggerMessage(5422, LogLevel.Information, "{Node} is no longer gateway {Gateway}")]
    static partial void LogWithdrawn(ILogger logger, string node, string gateway);
}
