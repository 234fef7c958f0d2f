using System.Net;
using System.Net.Sockets;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.WireGuard;
using MeshFabric.WireGuard.Linux;

namespace MeshFabric.Agent.Reconciling;

/// <summary>Makes the host what the config says, every time it is asked. Firewall before peers, peers before routes; what goes, goes in the reverse order.</summary>
/// <remarks>Failures of independent parts are joined; the next turn tries again. Touches only devices mf0 to mf8, routes of our protocol, and our tables.</remarks>
public sealed partial class GatewayReconciler(IWireGuardBackend backend, ILinks links, IRouteTable routes, IFirewall firewall, IRelays relays, IHostSettings settings, PrivateKey key, TimeProvider time) : IDisposable
{
    // What the tables were last known to be made from.
    FirewallConfig? _firewall;

    readonly LeafSources _sources = new(time);
    readonly Dictionary<PublicKey, IPEndPoint> _seen = [];

    /// <summary>States read in the last turn, by device.</summary>
    public IReadOnlyDictionary<string, DeviceState> States { get; private set; } = new Dictionary<string, DeviceState>();

    /// <summary>Devices that were made (anew) in the last turn.</summary>
    public IReadOnlyCollection<string> Made { get; private set; } = [];

    /// <summary>Of our devices: what the widest of their ways takes. What a narrower one takes is on its routes.</summary>
    public int Mtu { get; private set; } = MtuSearch.Usual;

    /// <summary>Where each peer's packets came from before this turn changed anything.</summary>
    public IReadOnlyDictionary<PublicKey, IPEndPoint> Seen => _seen;

    /// <summary>What the kernel knows to fit through the tunnel to each peer, bytes.</summary>
    public IReadOnlyDictionary<PublicKey, int> Bounds { get; private set; } = new Dictionary<PublicKey, int>();

    /// <summary>What was found to fit through each tunnel.</summary>
    public Func<NextHop, int> MtuOf { get; set; } = _ => MtuSearch.Usual;

    /// <summary>Null on a host that is no node of a cluster with other gateways.</summary>
    public Detour? Detour { get; set; }

    /// <summary>Where to send to peers that can be dialled no more than we can; null for those of which no way is known.</summary>
    public Func<TunnelPeer, IPEndPoint?> Way { get; set; } = _ => null;

    /// <summary>The tunnel to a peer carried, and carries no more.</summary>
    public Func<TunnelPeer, bool> IsDown { get; set; } = _ => false;

    public TunnelKeys Keys { get; set; } = new(null);

    /// <summary>Which of its own keys each of this gateway's devices is to have, by its name. From any thread.</summary>
    public Func<string, PrivateKey> OwnKey { get; set; } = _ => key;

    /// <summary>The device that is to carry only what no other one can; null as a rule.</summary>
    public string? Resting { get; set; }

    /// <summary>The config that the host was last made to match: the one that was given, but for the keys of those far gateways that have changed to their next one.</summary>
    public GatewayConfig? Applied { get; private set; }

    /// <summary>One turn; throws what failed, joined, after everything was tried.</summary>
    /// <param name="checkFirewall">Read our tables back; costs a process, so only when something said that tables changed, or now and then.</param>
    public async Task ReconcileAsync(GatewayConfig config, Func<NextHop, bool> isAlive, bool checkFirewall, CancellationToken cancellationToken)
    {
        var failures = new List<Exception>();
        await TryAsync(failures, () => LookForKeysAsync(config, cancellationToken));
        _changes.Forget(config);
        await TryAsync(failures, () =>
        {
            settings.Prepare(config.Firewall.Forwards || config.Relays.Count > 0, config.Firewall.Forwards6);
            return Task.CompletedTask;
        });
        await TryAsync(failures, () =>
        {
            Bounds = BoundsOf(_changes.Apply(config));
            Mtu = Math.Max(Bounds.Values.DefaultIfEmpty(MtuSearch.Usual).Max(), MtuSearch.SmallestIPv6);
            return Task.CompletedTask;
        });
        await TryAsync(failures, () => ApplyFirewallAsync(config, checkFirewall, cancellationToken));
        _seen.Clear();
        (_isRenumbered, _ordinal) = (_ordinal is { } ordinal && ordinal != config.Ordinal, config.Ordinal);
        var states = new Dictionary<string, DeviceState>();
        var made = new List<string>();
        foreach (var device in config.Devices)
        {
            await TryAsync(failures, async () => states[device.Name] = await ApplyDeviceAsync(device, OwnKey(device.Name), made, cancellationToken));
        }

        foreach (var device in config.Devices.Where(d => !states.ContainsKey(d.Name)))
        {
            // What failed may be harmless: its probes tell whether it carries.
            if (States.TryGetValue(device.Name, out var last))
            {
                states[device.Name] = last;
            }
        }

        States = states;
        Made = made;
        Applied = config = _changes.Apply(config);
        await TryAsync(failures, () => SteerAsync(config, isAlive, cancellationToken));
        await TryAsync(failures, () => ApplyRelaysAsync(config, states, cancellationToken));
        await TryAsync(failures, () => SweepAsync(config, cancellationToken));
        if (failures.Count > 0)
        {
            throw failures.Count == 1 ? failures[0] : new AggregateException(failures);
        }
    }

    /// <summary>Routes only: paths died or came back.</summary>
    public Task SteerAsync(GatewayConfig config, Func<NextHop, bool> isAlive, CancellationToken cancellationToken)
    {
        var all = RouteSelection.Select(config, isAlive, mtu: MtuOf, resting: Resting);
        return Detour is { } detour
            ? routes.ApplyAsync(RouteSelection.Select(config, isAlive, detour, MtuOf, Resting), all, UsersOf(config), cancellationToken)
            : routes.ApplyAsync(all, null, UsersOf(config), cancellationToken);
    }

    RouteUsers? UsersOf(GatewayConfig config) => _sources.Settled(config.Sources) is { } pods ? new RouteUsers(pods, config.Firewall.TunnelAddresses) : null;

    /// <summary>Before the first turn: what carries this host's own traffic.</summary>
    public Task<ValueList<InstalledRoute>> InstalledAsync(CancellationToken cancellationToken) => routes.ReadAsync(cancellationToken);

    /// <summary>Read back from the host, for reports.</summary>
    public async Task<GatewayActual> ReadAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        var installed = await routes.ReadAsync(cancellationToken);
        return new GatewayActual(
            States.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => new ActualDevice(s.Key, s.Value.ListenPort, Mtu,
                s.Value.Peers.Select(p => new ActualPeer(p.PublicKey, p.Endpoint is null ? null : UdpEndpoint.Of(p.Endpoint), p.AllowedIps)).ToValueList())).ToValueList(),
            installed.Select(r => new ActualRoute(r.Destination, r.Devices)).ToValueList(),
            await firewall.IsInPlaceAsync(config.Firewall, cancellationToken))
        {
            Addresses = States.Values.SelectMany(d => d.Peers).Select(p => p.Endpoint?.Address).OfType<IPAddress>().Where(a => a.AddressFamily == AddressFamily.InterNetwork)
                .Distinct().Select(links.SourceTowards).OfType<IPAddress>().Distinct().Select(Cidr.Host).Order().ToValueList(),
        };
    }

    /// <summary>Takes everything of ours off the host.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await routes.ApplyAsync([], null, null, cancellationToken);
        foreach (var device in (await backend.ListAsync(cancellationToken)).Where(IsOurs))
        {
            await backend.DeleteAsync(device, cancellationToken);
        }

        await relays.RemoveAsync(cancellationToken);
        await firewall.RemoveAsync(cancellationToken);
        settings.Restore();
    }

    async Task ApplyFirewallAsync(GatewayConfig config, bool check, CancellationToken cancellationToken)
    {
        if (!check && config.Firewall == _firewall)
        {
            return;
        }

        // Until it is known to be in place: whoever asked for the check does not ask again, so what fails now is tried with the next turn.
        _firewall = null;
        if (!await firewall.IsInPlaceAsync(config.Firewall, cancellationToken))
        {
            await firewall.ApplyAsync(config.Firewall, cancellationToken);
        }

        _firewall = config.Firewall;
    }

    // By where the device sends to, or is about to.
    Dictionary<PublicKey, int> BoundsOf(GatewayConfig config)
    {
        var bounds = new Dictionary<PublicKey, int>();
        var fragments = backend.Name == KernelBackend.Kind;
        foreach (var device in config.Devices)
        {
            var known = States.GetValueOrDefault(device.Name)?.Peers.ToDictionary(p => p.PublicKey, p => p.Endpoint?.Address) ?? [];
            foreach (var peer in device.Peers)
            {
                var outer = known.GetValueOrDefault(peer.PublicKey) ?? peer.Endpoints.Concat(peer.Candidates.Select(c => c.Endpoint)).FirstOrDefault()?.Address;
                var bound = (outer is null ? null : links.TunnelMtu(outer)) ?? MtuSearch.Usual;
                // The kernel's WireGuard lets routers cut its packets up: that a large one arrives does not mean that it passed whole.
                bounds[peer.PublicKey] = fragments ? Math.Min(bound, MtuSearch.Usual) : bound;
            }
        }

        return bounds;
    }

    Task ApplyRelaysAsync(GatewayConfig config, Dictionary<string, DeviceState> states, CancellationToken cancellationToken)
    {
        var ports = Relays(config, states);
        // Whose devices were just made knows nobody yet; those who are relayed go on by what the kernel has learned.
        return ports.Count == 0 && config.Relays.Count > 0 ? Task.CompletedTask : relays.ApplyAsync(ports, cancellationToken);
    }

    // Of both sides it must be known where they are: by our own tunnels to them, so that nobody else can be taken for them.
    ValueList<RelayPort> Relays(GatewayConfig config, Dictionary<string, DeviceState> states)
    {
        var known = states.Values.SelectMany(d => d.Peers).Where(p => p.Endpoint is not null).DistinctBy(p => p.PublicKey).ToDictionary(p => p.PublicKey, p => p.Endpoint!.Address);
        return config.Relays.SelectMany(r => new[] { (Near: r.First, Far: r.Second), (Near: r.Second, Far: r.First) })
            .Select(s => (s.Near, s.Far, Address: known.GetValueOrDefault(s.Near.PublicKey)))
            .Where(s => s.Address is { AddressFamily: AddressFamily.InterNetwork })
            .Select(s => (s.Near, s.Far, s.Address, Own: links.SourceTowards(s.Address!)))
            .Where(s => s.Own is not null)
            .Select(s => new RelayPort(s.Near.Port, s.Far.Port, s.Address!, s.Own!))
            .ToValueList();
    }

    async Task SweepAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        var wanted = config.Devices.Select(d => d.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var device in (await backend.ListAsync(cancellationToken)).Where(d => IsOurs(d) && !wanted.Contains(d)))
        {
            await backend.DeleteAsync(device, cancellationToken);
        }
    }

    static bool IsOurs(string device) => device.Length == 3 && device.StartsWith(MeshPlanner.DevicePrefix, StringComparison.Ordinal) && device[2] is >= '0' and < (char)('0' + GatewayFacts.Planes);

    static async Task TryAsync(List<Exception> failures, Func<Task> action)
    {
        try
        {
            await action();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            failures.Add(e);
        }
    }
}
