namespace MeshFabric.Contracts.Http;

/// <summary>All tunnels between two clusters that the topology links, in one; read only. A mesh of many gateways has a hundred times as many tunnels.</summary>
/// <param name="A">The cluster whose name comes first.</param>
/// <param name="State">connected (every wanted tunnel), degraded (some), down (none, and a side says so) or unknown (none yet, or nobody tells).</param>
/// <param name="TunnelsRelayed">Of those that are connected: by a relay.</param>
/// <param name="RttSeconds">The shortest that a gateway of either measured; null before.</param>
/// <param name="LossRatio">The worst of those that are connected, 0 to 1; null before.</param>
public sealed record LinkResource(string A, string B, string State, int TunnelsWanted, int TunnelsConnected, int TunnelsRelayed, double? RttSeconds, double? LossRatio)
{
    /// <summary>All that <see cref="State"/> may be.</summary>
    public static readonly IReadOnlyList<string> States = ["connected", "degraded", "down", "unknown"];
}
