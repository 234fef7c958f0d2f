using MeshFabric.Agent.Probing;

namespace MeshFabric.Agent.Tunnels;

/// <summary>Which of a cluster's gateways do not reach what is behind them. Pure.</summary>
/// <remarks>
/// Asked are the same addresses by each of them; answers come back by whichever the far side chooses. So a lost answer alone says nothing: only that it is lost by one
/// gateway while it comes by another one does. Where all are lost, nobody is to blame, and nothing changes.
/// </remarks>
static class Blindness
{
    /// <param name="gateways">Of one cluster: whether its tunnel is connected, and what was answered through it.</param>
    /// <returns>For each, whether to send by the others.</returns>
    public static IReadOnlyList<bool> Of(IReadOnlyList<(bool IsConnected, PathLiveness Inside)> gateways)
    {
        var someoneSees = gateways.Any(g => g is { IsConnected: true, Inside: { IsAlive: true, LostInARow: 0 } });
        return gateways.Select(g => someoneSees && g.IsConnected && !g.Inside.MayBeAlive).ToList();
    }
}
