using MassTransit;
using MeshFabric.Contracts;

namespace MeshFabric.Control.Messaging;

/// <summary>Who sent a message, as the broker authenticated it.</summary>
public sealed record AgentIdentity(string GatewayId);

/// <summary>First filter of everything that agents send.</summary>
/// <remarks>
/// The exchange a message was published to is set by the broker, and only agent X may write to mf.up.X and mf.beat.X: its name is the sender.
/// Response and fault addresses are the sender's own words and would make us send anywhere: a message that carries one is refused,
/// whichever way it is written (envelope, header or AMQP property). So is one that is larger than any honest report.
/// </remarks>
public sealed partial class SenderGuard(ILogger<SenderGuard> log) : IFilter<ConsumeContext>
{
    /// <summary>Bytes. A complete report of a gateway among a thousand clusters is below 2 MiB.</summary>
    public const long MaxBodyBytes = 8 << 20;

    public Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var basic = context.ReceiveContext.TryGetPayload(out RabbitMqBasicConsumeContext? known) ? known : null;
        var sender = BrokerNames.SenderOf(basic?.Exchange ?? "");
        var reason = sender is null ? "it came by no agent's exchange"
            : context.ResponseAddress is not null || context.FaultAddress is not null || !string.IsNullOrEmpty(basic!.Properties?.ReplyTo) ? "it carries a response or fault address"
            : context.ReceiveContext.Body.Length > MaxBodyBytes ? $"it has more than {MaxBodyBytes} bytes"
            : null;
        if (reason is not null)
        {
            LogRefused(log, basic?.Exchange ?? "", reason);
            return Task.CompletedTask;
        }

        context.GetOrAddPayload(() => new AgentIdentity(sender!));
        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("senderGuard");

    [LoggerMessage(2001, LogLevel.Warning, "Refused a message from exchange {Exchange}: {Reason}")]
    static partial void LogRefused(ILogger logger, string exchange, string reason);
}
