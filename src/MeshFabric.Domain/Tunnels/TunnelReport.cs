using System.Text.Json.Serialization;
using MeshFabric.Net;

namespace MeshFabric.Domain.Tunnels;

/// <summary>What a gateway saw of one of its tunnels; never an echo of the config.</summary>
/// <param name="Device">The local device, such as mf1.</param>
/// <param name="Endpoint">The far address in use; null before the first handshake of an answering side.</param>
/// <param name="LastHandshake">Null when there was none.</param>
/// <param name="RoundTripSeconds">Of the last answered probe; null when none was answered yet.</param>
/// <param name="LossRatio">0 to 1 over the last probes.</param>
public sealed record TunnelReport(
    string Device,
    string PeerCluster,
    string PeerGateway,
    TunnelState State,
    UdpEndpoint? Endpoint,
    DateTimeOffset? LastHandshake,
    double? RoundTripSeconds,
    double? LossRatio,
    ulong ReceivedBytes,
    ulong SentBytes)
{
    /// <summary>Mean difference of round trips that follow each other; null before the second.</summary>
    public double? JitterSeconds { get; init; }

    /// <summary>Largest packet that was found to pass; 0 when nobody looked.</summary>
    public int MtuBytes { get; init; }

    /// <summary>Epoch of the mesh secret that the last handshake's pre-shared key was made from; 0 when there was none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int KeyEpoch { get; init; }

    /// <summary>What is behind the far gateway answers through it, or does not although it does through another gateway; null when nobody asked, or nobody answers.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? ReachesInside { get; init; }

    /// <summary>CLUSTER/GATEWAY that hands its packets on; null when they go to the far gateway itself.</summary>
    public string? Relay { get; init; }
}

[JsonConverter(typeof(JsonStringEnumConverter<TunnelState>))]
public enum TunnelState
{
    /// <summary>No handshake yet.</summary>
    [JsonStringEnumMemberName("connecting")]
    Connecting,

    /// <summary>Handshake done and probes answered.</summary>
    [JsonStringEnumMemberName("connected")]
    Connected,

    /// <summary>Was connected; handshake too old or probes lost.</summary>
    [JsonStringEnumMemberName("down")]
    Down,
}
