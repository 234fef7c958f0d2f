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

/// <summary>The epoch of the mesh secret that all pre-shared keys are made from.</summary>
/// <param name="Epoch">0 before the first gateway came.</param>
/// <param name="Reason">Why it began.</param>
/// <param name="Gateways">That know of epochs.</param>
/// <param name="Holding">Of <paramref name="Gateways"/>: hold this epoch's secret, and use it with all that do.</param>
/// <param name="Waiting">CLUSTER/GATEWAY of the others.</param>
public sealed record KeysResource(int Epoch, DateTimeOffset? Since, string Reason, int Gateways, int Holding, IReadOnlyList<string> Waiting)
{
    /// <summary>CLUSTER/GATEWAY of those whose device key is to be changed, or is being changed.</summary>
    public IReadOnlyList<string> ChangingDeviceKey { get; init; } = [];
}

/// <summary>Begins a new epoch.</summary>
/// <param name="Reason">For the event and the audit record; at most 200 characters.</param>
public sealed record RenewKeys(string? Reason)
{
    /// <summary>Change the device key of every gateway as well, one gateway of a cluster at a time.</summary>
    public bool DeviceKeys { get; init; }
}

/// <summary>Body of <c>POST /clusters/{name}/device-keys</c>.</summary>
/// <param name="Reason">As of <see cref="RenewKeys"/>.</param>
public sealed record ChangeDeviceKeys(string? Reason);

public sealed record VersionResource(string Version, string ApiVersion);
