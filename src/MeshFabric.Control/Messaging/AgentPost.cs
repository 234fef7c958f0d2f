using MassTransit;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Messages;

namespace MeshFabric.Control.Messaging;

/// <summary>Sends by MassTransit; gives up after a few seconds, for the broker may be away and the caller is level-triggered.</summary>
public sealed class AgentPost(IBus bus) : IAgentPost
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(8);

    public Task PublishFactsAsync(FactsChanged change, CancellationToken cancellationToken) => SendToAsync(BrokerNames.Facts, change, cancellationToken);

    public Task SendAsync<T>(string gatewayId, T message, CancellationToken cancellationToken) where T : class => SendToAsync(BrokerNames.Down(gatewayId), message, cancellationToken);

    async Task SendToAsync<T>(string exchange, T message, CancellationToken cancellationToken) where T : class
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{exchange}"));
        try
        {
            await endpoint.Send(message, limit.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"the broker did not take a message for {exchange} within {Limit.TotalSeconds:0} s", e);
        }
    }
}
