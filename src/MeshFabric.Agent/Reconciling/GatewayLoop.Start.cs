using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Reconciling;

// Which next hops carry, by the routes that were there at the start until more is known.
public sealed partial class GatewayLoop
{
    ValueList<InstalledRoute>? _installed;
    DateTimeOffset _started;
    volatile InheritedRoutes? _inherited;

    async Task InheritAsync(GatewayReconciler reconciler, CancellationToken cancellationToken)
    {
        if (_installed is null)
        {
            (_installed, _started) = (await reconciler.InstalledAsync(cancellationToken), time.GetUtcNow());
        }
    }

    bool IsAlive(NextHop hop) => Inherited(hop) ?? (hop.Towards is null ? tunnels.IsAlive(hop) : _reach!.Reaches(hop));

    bool IsConnected(NextHop hop) => Inherited(hop) ?? tunnels.IsConnected(hop);

    bool? Inherited(NextHop hop) => _inherited is not { } inherited || IsTold(hop) ? null : inherited.Carried(hop, time.GetUtcNow());

    bool IsTold(NextHop hop) => tunnels.IsTold(hop) && (hop.Towards is null || !tunnels.IsConnected(hop) || _reach!.Knows(hop));
}
