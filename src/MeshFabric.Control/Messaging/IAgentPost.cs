using MeshFabric.Contracts.Messages;

namespace MeshFabric.Control.Messaging;

/// <summary>Sends to agents. Losing or repeating any message is harmless: rows are the truth, both ends compare revisions.</summary>
public interface IAgentPost
{
    /// <summary>To every agent at once, by the facts fan-out.</summary>
    Task PublishFactsAsync(FactsChanged change, CancellationToken cancellationToken);

    /// <summary>To one agent, which must be provisioned.</summary>
    Task SendAsync<T>(string gatewayId, T message, CancellationToken cancellationToken) where T : class;
}
