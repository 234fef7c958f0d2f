using MeshFabric.Agent.Enrolment;
using MeshFabric.Domain.Clusters;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Nodes;

// A node without a slot, in a cluster whose tunnels end on each of its nodes.
sealed partial class SlotKeeper
{
    TimeSpan _leafPause;
    long _leafFailedAt;

    bool IsToBeLeaf() => time.GetElapsedTime(_leafFailedAt) >= _leafPause && api.Facts is { Lead.WantsLeaves: true } facts && facts.Nodes.Any(n => n.Name == settings.Node);

    // Its pods go on by the cluster's gateways.
    void LeafFailed() => (_leafPause, _leafFailedAt) = (Longer(_leafPause), time.GetTimestamp());

    // What its cluster wants it knows from the facts themselves: they come whether the cluster's API answers or not.
    void YieldLeaf(string? mine)
    {
        gateway.Successor = mine is not null ? $"this node is gateway {mine} now"
            : gateway.Config is { Granularity: Granularity.Gateway } ? "the tunnels of this cluster end at its gateways"
            : null;
        gateway.Drain(gateway.Successor is not null && gateway.OthersCarry);
    }

    async Task EnrolLeafAsync(CancellationToken cancellationToken)
    {
        var (token, node) = (await TokenAsync(cancellationToken), OwnNode());
        var identity = await Enroller.JoinAsync(
            state, token, new EnrolmentRequest(null, LeafName.Of(settings.Node), NodeAddress.Endpoints(node, settings.ListenPort), settings.ListenPort, null, null) { Node = settings.Node, IsLeaf = true }, cancellationToken);
        LogLeaf(log, settings.Node, identity.Gateway, identity.Cluster);
    }

    [LoggerMessage(5416, LogLevel.Information, "{Node} ends tunnels for its own pods, as {Leaf} of cluster {Cluster}")]
    static partial void LogLeaf(ILogger logger, string node, string leaf, string cluster);
}
