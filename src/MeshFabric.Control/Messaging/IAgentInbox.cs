using MeshFabric.Contracts.Messages;

namespace MeshFabric.Control.Messaging;

/// <summary>What the bus hands over. <c>gatewayId</c> is the sender as the broker authenticated it; every method is idempotent.</summary>
public interface IAgentInbox
{
    Task OnHeartbeatAsync(string gatewayId, AgentHeartbeat message, CancellationToken cancellationToken);

    Task OnFactsRequestedAsync(string gatewayId, RequestFacts message, CancellationToken cancellationToken);

    Task OnGatewayReportedAsync(string gatewayId, GatewayReported message, CancellationToken cancellationToken);

    Task OnInventoryReportedAsync(string gatewayId, InventoryReported message, CancellationToken cancellationToken);

    Task OnProbeCompletedAsync(string gatewayId, ProbeCompleted message, CancellationToken cancellationToken);
}
