using System.Net;
using MeshFabric.Net;

namespace MeshFabric.WireGuard;

/// <summary>The whole wanted configuration of a WireGuard device: what is not in it is not wanted.</summary>
/// <param name="ListenPort">UDP port; 0 lets the host choose.</param>
/// <param name="FirewallMark">Put on outgoing outer packets; 0 for none.</param>
public sealed record DeviceConfig(PrivateKey PrivateKey, int ListenPort, uint FirewallMark, ValueList<PeerConfig> Peers);

/// <param name="Endpoint">Where to send; null leaves whatever the peer's own packets taught the device.</param>
/// <param name="PersistentKeepaliveSeconds">0 for none, at most 65,535.</param>
/// <param name="AllowedIps">Unique among the peers of one device.</param>
public sealed record PeerConfig(
    PublicKey PublicKey,
    PresharedKey? PresharedKey,
    IPEndPoint? Endpoint,
    int PersistentKeepaliveSeconds,
    ValueList<Cidr> AllowedIps)
{
    /// <summary>The endpoint is set whenever the device has another one, though the peer may have roamed there.</summary>
    public bool InsistsOnEndpoint { get; init; }
}

/// <summary>What a device is, as read from it.</summary>
/// <param name="PublicKey">Null while the device has no key.</param>
public sealed record DeviceState(string Name, PublicKey? PublicKey, int ListenPort, uint FirewallMark, ValueList<PeerState> Peers);

/// <param name="PresharedKey">Null for none.</param>
/// <param name="LastHandshake">Null when there was none since the peer was added.</param>
public sealed record PeerState(
    PublicKey PublicKey,
    PresharedKey? PresharedKey,
    IPEndPoint? Endpoint,
    int PersistentKeepaliveSeconds,
    DateTimeOffset? LastHandshake,
    ulong ReceivedBytes,
    ulong SentBytes,
    ValueList<Cidr> AllowedIps);
