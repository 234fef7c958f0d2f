using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.Facts;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.Reporting;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Contracts.Messages;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Messaging;

/// <summary>Takes what the control service sends. Nothing is done here but to remember and to wake the loop.</summary>
public sealed partial class ControlInbox(FactsKeeper facts, DeviceKeys keys, MeshSecrets secrets, IControlLink link, GatewayLoop loop, TunnelWatch tunnels, AgentReporter reporter, InventoryReporter inventory, Membership membership, ILogger<ControlInbox> log) : IControlInbox
{
    public Task OnFactsChangedAsync(FactsChanged message, CancellationToken cancellationToken) => WokenAsync(facts.Accept(message), cancellationToken);

    public Task OnFactsSnapshotAsync(FactsSnapshot message, CancellationToken cancellationToken) => WokenAsync(facts.Accept(message), cancellationToken);

    public Task OnMeshSecretIssuedAsync(MeshSecretIssued message, CancellationToken cancellationToken)
    {
        if (secrets.Accept(message))
        {
            // It is used with us only when that is known.
            reporter.BeatSoon();
            loop.Wake();
        }

        return Task.CompletedTask;
    }

    public Task OnOfferDeviceKeyAsync(OfferDeviceKey message, CancellationToken cancellationToken)
    {
        keys.Offer();
        reporter.BeatSoon();
        loop.Wake();
        return Task.CompletedTask;
    }

    public Task OnProbeTunnelsAsync(ProbeTunnels message, CancellationToken cancellationToken)
    {
        // Takes seconds: the next message must not wait for it.
        _ = AnswerAsync(message);
        return Task.CompletedTask;
    }

    public Task OnLeaveMeshAsync(LeaveMesh message, CancellationToken cancellationToken)
    {
        loop.Leave(message.Reason);
        return Task.CompletedTask;
    }

    public async Task OnConnectedAsync(CancellationToken cancellationToken)
    {
        reporter.Repeat();
        inventory.Repeat();
        await link.SendAsync(new RequestFacts(facts.Revision, "connected"), cancellationToken);
        loop.Wake();
    }

    public async Task OnRefusedAsync(CancellationToken cancellationToken)
    {
        if (await membership.RemovedAsync(cancellationToken) is { } reason)
        {
            loop.Leave(reason);
        }
    }

    async Task WokenAsync(FactsOutcome outcome, CancellationToken cancellationToken)
    {
        if (outcome == FactsOutcome.Gap)
        {
            await link.SendAsync(new RequestFacts(facts.Revision, "gap"), cancellationToken);
        }

        loop.Wake();
    }

    async Task AnswerAsync(ProbeTunnels message)
    {
        try
        {
            await link.SendAsync(await tunnels.ProbeAsync(loop.Config, message, CancellationToken.None), CancellationToken.None);
        }
        catch (Exception e)
        {
            // Whoever asked sees that no answer came.
            LogProbeFailed(log, message.ProbeId, e.Message);
        }
    }

    [LoggerMessage(5007, LogLevel.Warning, "Probe {ProbeId} could not be answered: {Reason}")]
    static partial void LogProbeFailed(ILogger logger, string probeId, string reason);
}
