using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>The overlay between a cluster's nodes, by rtnetlink: VXLAN devices, their neighbours, routes and rules of protocol 78.</summary>
public sealed class LinuxOverlay : IOverlay, IDisposable
{
    public const byte Protocol = 78;

    // Outer Ethernet is not counted: IPv4 or IPv6, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348).
    const int Overhead4 = 50;
    const int Overhead6 = 70;
    const int Smallest = 1280;

    static readonly string[] Names = [NodePlanner.OverlayName, NodePlanner.ServiceOverlayName];

    readonly RouteNetlink _netlink = RouteNetlink.Open();
    readonly Lock _oneAtATime = new();

    // On a node with hundreds of pods there are as many. Null when one of ours was made since they were read.
    IReadOnlyList<Link>? _links;

    /// <summary>Number of the overlay's link after the last turn; another one when it was made anew. Null without an overlay.</summary>
    public int? LinkIndex { get; private set; }

    public Task ApplyAsync(NodeConfig config, CancellationToken cancellationToken)
    {
        lock (_oneAtATime)
        {
            var present = _links = _netlink.Links();
            var addresses = _netlink.Addresses();
            var links = new Dictionary<string, int>();
            var v6 = new HashSet<string>();
            var gone = new List<Gone>();
            foreach (var device in new[] { config.Overlay, config.ServiceOverlay }.OfType<OverlayDevice>())
            {
                var link = Device(device, present, addresses);
                if (LinuxIPv6.IsOn(device.Name))
                {
                    v6.Add(device.Name);
                }

                gone.Add(Neighbours(link.Index, device.Peers, v6.Contains(device.Name)));
                links[device.Name] = link.Index;
            }

            LinkIndex = links.TryGetValue(NodePlanner.OverlayName, out var index) ? index : null;
            var v6AtAll = LinuxIPv6.IsOnAtAll;
            Routes(links, config.Routes.Where(r => r.Destination.IsIPv4 || v6.Contains(r.Device)), config.Firewall.RemotePrefixes.Where(p => v6AtAll || p.IsIPv4));
            PolicyRules.Apply(_netlink, Protocol, config.Rules.Where(r => v6AtAll || r.IsIPv4).Select(r => r.Mark == 0
                ? new PolicyRule((uint)r.Priority, r.IsIPv4, (uint)r.Table, r.InputDevice, r.Source, null, 0, Protocol)
                : new PolicyRule((uint)r.Priority, r.IsIPv4, (uint)r.Table, r.InputDevice, r.Source, null, (uint)r.Mark, Protocol, NodePlanner.MarkMask)));
            // After the routes by them: a packet that still takes one would have the kernel look for that neighbour, and keep that it was not found.
            gone.ForEach(Forget);
            foreach (var left in present.Where(l => Names.Contains(l.Name) && !links.ContainsKey(l.Name) && l.Vxlan is not null))
            {
                _netlink.DeleteLink(left.Index);
            }
        }

        return Task.CompletedTask;
    }

    public ValueList<int> TakenPorts()
    {
        lock (_oneAtATime)
        {
            var links = _links ??= _netlink.Links();
            var own = links.Where(l => Names.Contains(l.Name) && l.Vxlan is not null).Select(l => (int)l.Vxlan!.Port).ToHashSet();
            var foreign = links.Where(l => !Names.Contains(l.Name) && l.Vxlan is not null).Select(l => (int)l.Vxlan!.Port);
            var listening = IPGlobalProperties.GetIPGlobalProperties().GetActiveUdpListeners().Select(e => e.Port).Where(p => !own.Contains(p));
            return foreign.Concat(listening).Distinct().Where(NodePlanner.Ports.Contains).Order().ToValueList();
        }
    }

    public void Dispose() => _netlink.Dispose();

    Link Device(OverlayDevice wanted, IReadOnlyList<Link> links, IReadOnlyList<LinkAddress> addresses)
    {
        var options = new VxlanOptions((uint)wanted.Vni, wanted.Local, (ushort)wanted.Port, PhysicalAddress.Parse(wanted.HardwareAddress));
        var link = links.FirstOrDefault(l => l.Name == wanted.Name);
        if (link is not null && link.Vxlan != options)
        {
            if (link.Kind != "vxlan")
            {
                throw new InvalidOperationException($"the device {wanted.Name} is a {link.Kind} that is not ours: remove or rename it");
            }

            _netlink.DeleteLink(link.Index);
            link = null;
        }

        if (link is null)
        {
            _links = null;
            _netlink.AddVxlan(wanted.Name, options);
            link = _netlink.FindLink(wanted.Name) ?? throw new InvalidOperationException($"the device {wanted.Name} is gone");
        }

        LinuxSysctls.PrepareDevice(wanted.Name);
        EnsureAddress(link.Index, wanted.Local, addresses);
        var mtu = Math.Max(Smallest, Underlay(wanted.Local, links, addresses) - (wanted.Local.AddressFamily == AddressFamily.InterNetwork ? Overhead4 : Overhead6));
        if (link.Mtu != mtu)
        {
            _netlink.SetMtu(link.Index, mtu);
        }

        if (!link.IsUp)
        {
            _netlink.SetUp(link.Index);
        }

        return link;
    }

    // Without any IPv4 address of its own the kernel's source check drops, loose or not, what comes in by this device while the way back is another one
    // (fib_validate_source): on a gateway, all answers that came by another gateway. It is the node's own, so that whoever takes a device's first address takes that.
    void EnsureAddress(int link, IPAddress local, IReadOnlyList<LinkAddress> addresses)
    {
        if (local.AddressFamily == AddressFamily.InterNetwork && !addresses.Any(a => a.LinkIndex == link && a.Address.Equals(local)))
        {
            _netlink.AddAddress(new LinkAddress(link, local, 32));
        }
    }

    /// <summary>MTU of the link that has this address, bytes.</summary>
    static int Underlay(IPAddress address, IReadOnlyList<Link> links, IReadOnlyList<LinkAddress> addresses)
    {
        const int fallback = 1500;
        // Our own have it too, and do not count.
        var others = links.Where(l => !Names.Contains(l.Name)).ToDictionary(l => l.Index);
        var index = addresses.FirstOrDefault(a => others.ContainsKey(a.LinkIndex) && a.Address.Equals(address))?.LinkIndex;
        return index is { } found ? others[found].Mtu : fallback;
    }

    sealed record Gone(IReadOnlyList<Neighbour> Neighbours, IReadOnlyList<ForwardingEntry> Entries);

    void Forget(Gone gone)
    {
        foreach (var neighbour in gone.Neighbours)
        {
            _netlink.DeleteNeighbour(neighbour);
        }

        foreach (var entry in gone.Entries)
        {
            _netlink.DeleteForwardingEntry(entry);
        }
    }

    /// <summary>Adds what is missing.</summary>
    /// <returns>What is too many.</returns>
    Gone Neighbours(int link, ValueList<OverlayPeer> peers, bool v6)
    {
        var neighbours = peers.SelectMany(p => new[] { p.Host, p.Hop6 }.Where(a => v6 || a.AddressFamily == AddressFamily.InterNetwork).Select(a => new Neighbour(link, a, PhysicalAddress.Parse(p.HardwareAddress)))).ToList();
        var entries = peers.Select(p => new ForwardingEntry(link, PhysicalAddress.Parse(p.HardwareAddress), p.Host)).ToList();
        var (presentNeighbours, presentEntries) = (_netlink.Neighbours(link), _netlink.ForwardingEntries(link));
        foreach (var entry in entries.Except(presentEntries))
        {
            _netlink.AddForwardingEntry(entry);
        }

        foreach (var neighbour in neighbours.Except(presentNeighbours))
        {
            _netlink.AddNeighbour(neighbour);
        }

        return new Gone(
            presentNeighbours.Where(n => !neighbours.Exists(w => w.Address.Equals(n.Address))).ToList(),
            presentEntries.Where(e => !entries.Exists(w => w.HardwareAddress.Equals(e.HardwareAddress))).ToList());
    }

    void Routes(Dictionary<string, int> links, IEnumerable<OverlayRoute> routes, IEnumerable<Cidr> refused)
    {
        var wanted = routes.Where(r => links.ContainsKey(r.Device)).Select(r => new DeviceRoute(
            r.Destination, r.Source, r.Hops.Select(h => new RouteHop(links[r.Device], h)).Order().ToValueList(), r.Mtu, Protocol, (uint)r.Table)).ToList();
        var mesh = refused.Select(p => new DeviceRoute(p, null, [], 0, Protocol, NodePlanner.GatewayTable)).ToList();
        OwnRoutes.Apply(_netlink, wanted.Concat(OwnRoutes.Unreachable(mesh)).Concat(OwnRoutes.Connected(_netlink, mesh)).ToList(), _netlink.Routes(Protocol));
    }
}
