using System.Net;
using MeshFabric.Net;

namespace MeshFabric.WireGuard;

/// <summary>The difference between a device and its wanted configuration: what a backend has to send.</summary>
/// <param name="PrivateKey">Null: leave it.</param>
/// <param name="ListenPort">Null: leave it.</param>
/// <param name="FirewallMark">Null: leave it.</param>
/// <param name="Peers">Added or changed peers first, removed ones last: an allowed-ips prefix moves to its new peer without a gap.</param>
public sealed record DeviceChange(PrivateKey? PrivateKey, int? ListenPort, uint? FirewallMark, ValueList<PeerChange> Peers)
{
    public bool IsEmpty => PrivateKey is null && ListenPort is null && FirewallMark is null && Peers.Count == 0;

    /// <summary>Compares whole configurations.</summary>
    /// <param name="lastWanted">What was wanted of this device before by this process; an endpoint that was already wanted then is not set again, for the peer may have roamed since.</param>
    public static DeviceChange Between(DeviceState actual, DeviceConfig wanted, DeviceConfig? lastWanted)
    {
        var before = actual.Peers.ToDictionary(p => p.PublicKey);
        var wantedKeys = wanted.Peers.Select(p => p.PublicKey).ToHashSet();
        var lastPeers = lastWanted?.Peers.ToDictionary(p => p.PublicKey) ?? [];
        var peers = wanted.Peers
            .Select(p => PeerChange.Between(before.GetValueOrDefault(p.PublicKey), p, lastPeers.GetValueOrDefault(p.PublicKey)))
            .OfType<PeerChange>()
            .Concat(actual.Peers.Where(p => !wantedKeys.Contains(p.PublicKey)).Select(p => PeerChange.Removal(p.PublicKey)));
        return new DeviceChange(
            actual.PublicKey == wanted.PrivateKey.ToPublicKey() ? null : wanted.PrivateKey,
            wanted.ListenPort == 0 || actual.ListenPort == wanted.ListenPort ? null : wanted.ListenPort,
            actual.FirewallMark == wanted.FirewallMark ? null : wanted.FirewallMark,
            peers.ToValueList());
    }
}

/// <summary>One peer's part of a <see cref="DeviceChange"/>; null leaves a value as it is.</summary>
/// <param name="AllowedIps">The whole list, replacing the device's.</param>
/// <param name="ClearPresharedKey">Takes an existing preshared key away.</param>
public sealed record PeerChange(
    PublicKey PublicKey,
    bool Remove,
    bool Add,
    PresharedKey? PresharedKey,
    bool ClearPresharedKey,
    IPEndPoint? Endpoint,
    int? PersistentKeepaliveSeconds,
    ValueList<Cidr>? AllowedIps)
{
    public static PeerChange Removal(PublicKey key) => new(key, Remove: true, Add: false, null, false, null, null, null);

    public static PeerChange? Between(PeerState? actual, PeerConfig wanted, PeerConfig? lastWanted)
    {
        if (actual is null)
        {
            return new PeerChange(wanted.PublicKey, false, true, wanted.PresharedKey, false, wanted.Endpoint,
                wanted.PersistentKeepaliveSeconds == 0 ? null : wanted.PersistentKeepaliveSeconds, wanted.AllowedIps);
        }

        var allowed = actual.AllowedIps.Order().SequenceEqual(wanted.AllowedIps.Order()) ? null : wanted.AllowedIps;
        var keepalive = actual.PersistentKeepaliveSeconds == wanted.PersistentKeepaliveSeconds ? (int?)null : wanted.PersistentKeepaliveSeconds;
        // A device does not tell its preshared key: it is set when there is none yet, or when another one was wanted before.
        var preshared = wanted.PresharedKey is not null && (!actual.HasPresharedKey || (lastWanted is not null && !wanted.PresharedKey.Equals(lastWanted.PresharedKey)))
            ? wanted.PresharedKey : null;
        var clear = wanted.PresharedKey is null && actual.HasPresharedKey;
        var endpoint = wanted.Endpoint is not null && !wanted.Endpoint.Equals(actual.Endpoint)
            && (actual.Endpoint is null || lastWanted is null || !wanted.Endpoint.Equals(lastWanted.Endpoint))
            ? wanted.Endpoint : null;
        return allowed is null && keepalive is null && preshared is null && !clear && endpoint is null
            ? null
            : new PeerChange(wanted.PublicKey, false, false, preshared, clear, endpoint, keepalive, allowed);
    }
}
