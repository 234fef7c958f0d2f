using MeshFabric.Contracts.Messages;

namespace MeshFabric.Agent.Messaging;

/// <summary>The agent's way to the control service. It may be gone at any time; nothing in the data plane waits for it.</summary>
public interface IControlLink
{
    bool IsConnected { get; }

    /// <summary>Sends, or gives up after a few seconds: false. The caller's state is level-triggered and sends again.</summary>
    Task<bool> SendAsync<T>(T message, CancellationToken cancellationToken) where T : class;
}

/// <summary>What the control service sends; called one at a time, in order of arrival.</summary>
public interface IControlInbox
{
    Task OnFactsChangedAsync(FactsChanged message, CancellationToken cancellationToken);

    Task OnFactsSnapshotAsync(FactsSnapshot message, CancellationToken cancellationToken);

    Task OnMeshSecretIssuedAsync(MeshSecretIssued message, CancellationToken cancellationToken);

    Task OnOfferDeviceKeyAsync(OfferDeviceKey message, CancellationToken cancellationToken);

    Task OnProbeTunnelsAsync(ProbeTunnels message, CancellationToken cancellationToken);

    Task OnLeaveMeshAsync(LeaveMesh message, CancellationToken cancellationToken);

    /// <summary>The link came up (again): report in full and ask for facts.</summary>
    Task OnConnectedAsync(CancellationToken cancellationToken);

    /// <summary>The broker answers, but does not let us in.</summary>
    Task OnRefusedAsync(CancellationToken cancellationToken);
}
