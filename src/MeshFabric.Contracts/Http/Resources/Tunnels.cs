using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Contracts.Http;

/// <summary>One record per pair of gateways; its metadata name is <c>CLUSTER.GATEWAY--CLUSTER.GATEWAY</c>, smaller one first.</summary>
public sealed record TunnelResource(Metadata Metadata, TunnelSpec Spec, TunnelStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "Tunnel";
}

public sealed record TunnelSpec(TunnelEnd A, TunnelEnd B);

public sealed record TunnelEnd(string Cluster, string Gateway, string Device, PublicKey PublicKey, bool Initiates);

/// <param name="State">The worse of both sides: connected, connecting, down, unknown.</param>
/// <param name="Path">direct or relayed.</param>
public sealed record TunnelStatus(string State, string Path, TunnelSide? A, TunnelSide? B)
{
    /// <summary>CLUSTER/GATEWAY that hands the packets on; null when the path is direct.</summary>
    public string? Relay { get; init; }
}

/// <summary>What one side saw.</summary>
public sealed record TunnelSide(
    TunnelState State,
    UdpEndpoint? Endpoint,
    DateTimeOffset? LastHandshake,
    double? RttSeconds,
    double? LossRatio,
    ulong ReceivedBytes,
    ulong SentBytes,
    DateTimeOffset ReportedAt)
{
    public double? JitterSeconds { get; init; }

    /// <summary>Epoch of the mesh secret that the pre-shared key of the last handshake was made from; 0 for no pre-shared key, or when it does not tell.</summary>
    public int KeyEpoch { get; init; }

    /// <summary>Largest packet that was found to pass from this side, bytes; 0 when it does not tell.</summary>
    public int MtuBytes { get; init; }

    /// <summary>As of <see cref="TunnelReport.ReachesInside"/>.</summary>
    public bool? ReachesInside { get; init; }

    /// <summary>CLUSTER/GATEWAY by which this side sends; null when it sends to the other side itself.</summary>
    public string? Relay { get; init; }
}
