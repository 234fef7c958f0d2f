using MassTransit;
using MeshFabric.Contracts.Messages;

namespace MeshFabric.Control.Messaging;

/// <summary>Hands what agents send to the inbox, under the sender's authenticated id. Only messages that agents may send are consumed here.</summary>
public sealed class AgentConsumers(IAgentInbox inbox) :
    IConsumer<AgentHeartbeat>, IConsumer<RequestFacts>, IConsumer<GatewayReported>, IConsumer<InventoryReported>, IConsumer<ProbeCompleted>
{
    public Task Consume(ConsumeContext<AgentHeartbeat> context) => inbox.OnHeartbeatAsync(Sender(context), context.Message, context.CancellationToken);

    public Task Consume(ConsumeContext<RequestFacts> context) => inbox.OnFactsRequestedAsync(Sender(context), context.Message, context.CancellationToken);

    public Task Consume(ConsumeContext<GatewayReported> context) => inbox.OnGatewayReportedAsync(Sender(context), context.Message, context.CancellationToken);

    public Task Consume(ConsumeContext<InventoryReported> context) => inbox.OnInventoryReportedAsync(Sender(context), context.Message, context.CancellationToken);

    public Task Consume(ConsumeContext<ProbeCompleted> context) => inbox.OnProbeCompletedAsync(Sender(context), context.Message, context.CancellationToken);

    static string Sender(ConsumeContext context) => context.TryGetPayload(out AgentIdentity? identity)
        ? identity.GatewayId
        : throw new InvalidOperationException("a message came past the sender guard");
}
