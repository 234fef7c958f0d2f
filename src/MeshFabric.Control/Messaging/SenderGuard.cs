using MassTransit;
using MeshFabric.Contracts;

namespace MeshFabric.Control.Messaging;

/// <summary>Who sent a message, as the broker authenticated it.</summary>
public sealed record AgentIdentity(string GatewayId);

/// <summary>First filter of everything that agents send.</summary>
/// <remarks>
/// The exchange a message was published to is set by the broker, and only agent X may write to mf.up.X and mf.beat.X: its name is the sender.
/// Response and fault addresses are the sender's own words and would make us send anywhere: a message that carries one is refused.
/// </remarks>
public sealed partial class SenderGuard(ILogger<SenderGuard> log) : IFilter<ConsumeContext>
{
    public Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var exchange = context.ReceiveContext.TryGetPayload(out RabbitMqBasicConsumeContext? basic) ? basic.Exchange : "";
        var sender = BrokerNames.SenderOf(exchange);
        if (sender is null || context.ResponseAddress is not null || context.FaultAddress is not null)
        {
            LogRefused(log, exchange);
            return Task.CompletedTask;
        }

        context.GetOrAddPayload(() => new AgentIdentity(sender));
        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("senderGuard");

    [LoggerMessage(2001, LogLevel.Warning, "Refused a message from exchange {Exchange}: no agent's exchange, or it carries a response or fault address")]
    static partial void LogRefused(ILogger logger, string exchange);
}
