using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Messaging;

namespace MeshFabric.Control.Meshing;

/// <summary>Ends gateways that are no longer part of the mesh: tells them, then takes their identity on the broker away.</summary>
/// <remarks>Their rows are gone already and everybody else drops them by the facts; whatever fails here the reconciler does later.</remarks>
public sealed partial class CutOff(IServiceScopeFactory scopes, BrokerReconciler reconciler, TimeProvider time, ILogger<CutOff> log)
{
    static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);
    static readonly TimeSpan Delivery = TimeSpan.FromMilliseconds(300);

    // Not tied to the request: whoever asked may hang up, the gateways are removed all the same.
    public async Task RunAsync(IReadOnlyCollection<string> gatewayIds, LeaveMesh farewell)
    {
        if (gatewayIds.Count == 0)
        {
            return;
        }

        await using var scope = scopes.CreateAsyncScope();
        var post = scope.ServiceProvider.GetRequiredService<IAgentPost>();
        using var limit = new CancellationTokenSource(Farewell, time);
        await Task.WhenAll(gatewayIds.Select(id => TryAsync("told to leave", id, () => post.SendAsync(id, farewell, limit.Token))));
        await Task.Delay(Delivery, time, CancellationToken.None);
        var broker = scope.ServiceProvider.GetRequiredService<IBrokerAdmin>();
        await Task.WhenAll(gatewayIds.Select(id => TryAsync("revoked", id, () => broker.RevokeAsync(id, CancellationToken.None))));
        reconciler.Wake();
    }

    async Task TryAsync(string what, string id, Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or TimeoutException or InvalidOperationException or IOException or MassTransit.MassTransitException)
        {
            LogFailed(log, id, what, e.Message);
        }
    }

    [LoggerMessage(1110, LogLevel.Warning, "Gateway {GatewayId} could not be {What} now; the broker's reconciliation does it later: {Reason}")]
    static partial void LogFailed(ILogger logger, string gatewayId, string what, string reason);
}
