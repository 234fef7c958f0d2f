namespace MeshFabric.Contracts.Http;

/// <summary>The mesh in one object.</summary>
/// <param name="State">ready (every wanted tunnel connected), progressing, degraded or empty.</param>
/// <param name="UnmetConditions">What is still missing for ready, one sentence each.</param>
public sealed record MeshResource(
    string State,
    long Revision,
    string Version,
    int Clusters,
    int ClustersConnected,
    int Gateways,
    int GatewaysConnected,
    int TunnelsWanted,
    int TunnelsConnected,
    int TunnelsDown,
    int RemappedPrefixes,
    IReadOnlyList<string> UnmetConditions);

public sealed record VersionResource(string Version, string ApiVersion);
