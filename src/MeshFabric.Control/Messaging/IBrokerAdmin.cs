namespace MeshFabric.Control.Messaging;

/// <summary>Who and what exists on the broker. Everything agents use is made here; they own nothing.</summary>
public interface IBrokerAdmin
{
    /// <summary>Makes the shared entities (ingress, heartbeats, facts) if they are missing. Repeating it changes nothing.</summary>
    Task EnsureTopologyAsync(CancellationToken cancellationToken);

    /// <summary>Makes the gateway's user, permissions, exchanges, queue and bindings exactly so. Repeating it changes nothing.</summary>
    Task ProvisionAsync(string gatewayId, CancellationToken cancellationToken);

    /// <summary>Deletes the gateway's user (its connection is closed at once), queue and exchanges. No error when they are gone.</summary>
    Task RevokeAsync(string gatewayId, CancellationToken cancellationToken);

    /// <summary>All gateways that have a user with permissions on the broker, by id; false when their queue or an exchange is missing, for an agent can delete its own.</summary>
    Task<IReadOnlyDictionary<string, bool>> ListAsync(CancellationToken cancellationToken);
}
