using System.Net;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Reconciling;

// Devices and their peers.
public sealed partial class GatewayReconciler
{
    readonly Dictionary<(string Device, PublicKey Peer), EndpointChoice> _choices = [];
    readonly FirstHandshakes _firsts = new();

    // Of the last turn; null before the first.
    int? _ordinal;
    bool _isRenumbered;

    readonly KeyChanges _changes = new();
    readonly HandshakeClock _handshakes = new(time);

    // Peers that show their next key are given their addresses beside the turns.
    readonly SemaphoreSlim _device = new(1, 1);

    /// <summary>Gives those far gateways their addresses that showed their next key just now. Beside the turns, and quick: what they send is lost until then.</summary>
    /// <returns>True when there was one: the rest is for the next turn.</returns>
    public async Task<bool> TakeKeysAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        var taken = false;
        foreach (var device in KeyChanges.Due(config))
        {
            await _device.WaitAsync(cancellationToken);
            try
            {
                var state = await ReadAsync(device.Name, cancellationToken);
                if (_changes.Observe(device, state.Peers))
                {
                    taken = true;
                    await backend.ConfigureAsync(device.Name, Wanted(_changes.Apply(device), OwnKey(device.Name), state.Peers.ToDictionary(p => p.PublicKey), time.GetUtcNow()), cancellationToken);
                }
            }
            catch (WireGuardException)
            {
                // The device is being made, or made anew: the next turn looks as well.
            }
            finally
            {
                _device.Release();
            }
        }

        return taken;
    }

    async Task LookForKeysAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        var present = KeyChanges.Due(config).Any() ? await backend.ListAsync(cancellationToken) : [];
        foreach (var device in KeyChanges.Due(config).Where(d => present.Contains(d.Name)))
        {
            await _device.WaitAsync(cancellationToken);
            try
            {
                _changes.Observe(device, (await ReadAsync(device.Name, cancellationToken)).Peers);
            }
            finally
            {
                _device.Release();
            }
        }
    }

    /// <summary>Which keys the devices have that an agent before this one left.</summary>
    public async Task<IReadOnlyDictionary<string, PublicKey?>> ReadKeysAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        var keys = new Dictionary<string, PublicKey?>();
        foreach (var device in (await backend.ListAsync(cancellationToken)).Intersect(config.Devices.Select(d => d.Name)))
        {
            try
            {
                keys[device] = (await backend.ReadAsync(device, cancellationToken)).PublicKey;
            }
            catch (WireGuardException)
            {
                // It is made anew with the next turn.
            }
        }

        return keys;
    }

    async Task<DeviceState> ReadAsync(string device, CancellationToken cancellationToken) => _handshakes.Of(await backend.ReadAsync(device, cancellationToken));

    async Task<DeviceState> ApplyDeviceAsync(TunnelDevice device, PrivateKey own, List<string> made, CancellationToken cancellationToken)
    {
        await _device.WaitAsync(cancellationToken);
        try
        {
            await ConfigureDeviceAsync(_changes.Apply(device), own, made, cancellationToken);
        }
        finally
        {
            _device.Release();
        }

        await links.ApplyAsync(device.Name, Mtu, device.Addresses, cancellationToken);
        return await ReadAsync(device.Name, cancellationToken);
    }

    async Task ConfigureDeviceAsync(TunnelDevice device, PrivateKey own, List<string> made, CancellationToken cancellationToken)
    {
        if (await backend.EnsureAsync(device.Name, cancellationToken))
        {
            made.Add(device.Name);
        }

        var now = time.GetUtcNow();
        var before = (await ReadAsync(device.Name, cancellationToken)).Peers.ToDictionary(p => p.PublicKey);
        foreach (var peer in before.Values.Where(p => p.Endpoint is not null))
        {
            _seen[peer.PublicKey] = peer.Endpoint!;
        }

        if (_isRenumbered)
        {
            await ForgetThoseThatMovedAsync(device, own, before, now, cancellationToken);
        }

        var wanted = Wanted(device, own, before, now);
        if (_firsts.Repeat(device.Name, device.Peers.Where(p => p.Initiates).Select(p => p.PublicKey), before, now) is { Count: > 0 } kicked)
        {
            await backend.ConfigureAsync(device.Name, wanted with { Peers = wanted.Peers.Where(p => !kicked.Contains(p.PublicKey)).ToValueList() }, cancellationToken);
        }

        await backend.ConfigureAsync(device.Name, wanted, cancellationToken);
    }

    // They answer at other devices and ports from now on, which know nothing of the sessions that there are: whoever starts handshakes begins anew. Those who start theirs find us.
    async Task ForgetThoseThatMovedAsync(TunnelDevice device, PrivateKey own, Dictionary<PublicKey, PeerState> before, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var moved = device.Peers.Where(p => p.Initiates && before.ContainsKey(p.PublicKey)).Select(p => p.PublicKey).ToHashSet();
        if (moved.Count == 0)
        {
            return;
        }

        var wanted = Wanted(device, own, before, now);
        await backend.ConfigureAsync(device.Name, wanted with { Peers = wanted.Peers.Where(p => !moved.Contains(p.PublicKey)).ToValueList() }, cancellationToken);
        foreach (var peer in moved)
        {
            before.Remove(peer);
            _choices.Remove((device.Name, peer));
            _firsts.Forget(device.Name, peer);
        }
    }

    DeviceConfig Wanted(TunnelDevice device, PrivateKey own, Dictionary<PublicKey, PeerState> before, DateTimeOffset now)
    {
        var near = own.ToPublicKey();
        // A peer that nothing could be sent to would be given up for seconds before there is a way.
        var peers = device.Peers.Where(p => before.ContainsKey(p.PublicKey) || p.Candidates.Count == 0 || !p.Initiates || Way(p) is not null)
            .Select(p => Peer(device.Name, near, p, before.GetValueOrDefault(p.PublicKey), now));
        var ready = device.Peers.Where(p => p.NextKey is not null).Select(p => new PeerConfig(p.NextKey!, Keys.Ready(near, p.NextKey!, p.KeyEpoch), null, 0, []));
        return new DeviceConfig(own, device.ListenPort, 0, peers.Concat(ready).ToValueList());
    }

    PeerConfig Peer(string device, PublicKey near, TunnelPeer peer, PeerState? state, DateTimeOffset now)
    {
        if (!_choices.TryGetValue((device, peer.PublicKey), out var choice))
        {
            _choices[(device, peer.PublicKey)] = choice = new EndpointChoice();
        }

        var way = Way(peer);
        var endpoint = way ?? choice.Choose(peer, state, IsDown(peer), now);
        var dials = peer.Initiates || (endpoint is not null && way is null) || state is { PersistentKeepaliveSeconds: > 0 };
        return new PeerConfig(peer.PublicKey, Keys.Of(near, peer, state, now), endpoint ?? KnownEndpoint(state), dials ? peer.KeepaliveSeconds : 0, peer.AllowedIps) { InsistsOnEndpoint = way is not null };
    }

    static IPEndPoint? KnownEndpoint(PeerState? state) => state?.Endpoint;

    public void Dispose() => _device.Dispose();
}
