using System.Net;
using MeshFabric.Net;

namespace MeshFabric.WireGuard;

/// <summary>The difference between a device and its wanted configuration: what a backend has to send.</summary>
/// <param name="PrivateKey">Null: leave it.</param>
/// <param name="ListenPort">Null: leave it.</param>
/// <param name="FirewallMark">Null: leave it.</param>
/// <param name="Peers">
/// Peers that only gain come first, then those whose list is replaced, then removed ones: a prefix that moves to another peer is taken over
/// by it in one step, and no packet finds it ownerless.
/// </param>
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
        var owned = wanted.Peers.SelectMany(p => p.AllowedIps).ToHashSet();
        var peers = wanted.Peers
            .Select(p => PeerChange.Between(before.GetValueOrDefault(p.PublicKey), p, lastPeers.GetValueOrDefault(p.PublicKey), owned))
            .OfType<PeerChange>()
            .OrderBy(p => p.AllowedIps is null || p.KeepsAllowedIps || p.Add ? 0 : 1)
            .Concat(actual.Peers.Where(p => !wantedKeys.Contains(p.PublicKey)).Select(p => PeerChange.Removal(p.PublicKey)));
        return new DeviceChange(
            actual.PublicKey == wanted.PrivateKey.ToPublicKey() ? null : wanted.PrivateKey,
            wanted.ListenPort == 0 || actual.ListenPort == wanted.ListenPort ? null : wanted.ListenPort,
            actual.FirewallMark == wanted.FirewallMark ? null : wanted.FirewallMark,
            peers.ToValueList());
    }
}

/// <summary>One peer's part of a <see cref="DeviceChange"/>; null leaves a value as it is.</summary>
/// <param name="AllowedIps">The whole list, replacing the device's; or, with <paramref name="KeepsAllowedIps"/>, what is added to it.</param>
/// <param name="ClearPresharedKey">Takes an existing preshared key away.</param>
/// <param name="KeepsAllowedIps">The device's list stays and grows. Replacing it would drop packets: both implementations empty the list first.</param>
public sealed record PeerChange(
    PublicKey PublicKey,
    bool Remove,
    bool Add,
    PresharedKey? PresharedKey,
    bool ClearPresharedKey,
    IPEndPoint? Endpoint,
    int? PersistentKeepaliveSeconds,
    ValueList<Cidr>? AllowedIps,
    bool KeepsAllowedIps = false)
{
    public static PeerChange Removal(PublicKey key) => new(key, Remove: true, Add: false, null, false, null, null, null);

    /// <param name="owned">Prefixes that some peer is wanted to have: a device takes them from the peer that had them.</param>
    public static PeerChange? Between(PeerState? actual, PeerConfig wanted, PeerConfig? lastWanted, HashSet<Cidr> owned)
    {
        if (actual is null)
        {
            return new PeerChange(wanted.PublicKey, false, true, wanted.PresharedKey, false, wanted.Endpoint,
                wanted.PersistentKeepaliveSeconds == 0 ? null : wanted.PersistentKeepaliveSeconds, wanted.AllowedIps);
        }

        var gained = wanted.AllowedIps.Except(actual.AllowedIps).ToValueList();
        var keeps = actual.AllowedIps.Except(wanted.AllowedIps).All(owned.Contains);
        var allowed = !keeps ? wanted.AllowedIps : gained.Count > 0 ? gained : null;
        var keepalive = actual.PersistentKeepaliveSeconds == wanted.PersistentKeepaliveSeconds ? (int?)null : wanted.PersistentKeepaliveSeconds;
        var preshared = wanted.PresharedKey is not null && !wanted.PresharedKey.Equals(actual.PresharedKey) ? wanted.PresharedKey : null;
        var clear = wanted.PresharedKey is null && actual.PresharedKey is not null;
        var endpoint = wanted.Endpoint is not null && !wanted.Endpoint.Equals(actual.Endpoint)
            && (wanted.InsistsOnEndpoint || actual.Endpoint is null || lastWanted is null || !wanted.Endpoint.Equals(lastWanted.Endpoint))
            ? wanted.Endpoint : null;
        return allowed is null && keepalive is null && preshared is null && !clear && endpoint is null
            ? null
            : new PeerChange(wanted.PublicKey, false, false, preshared, clear, endpoint, keepalive, allowed, keeps);
    }
}
