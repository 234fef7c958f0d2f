using System.Net;
using System.Security.Cryptography;
using System.Text;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>Turns what a cluster's nodes know of each other into what one of them must run, so that its pods reach the mesh by the gateways.</summary>
/// <remarks>
/// Pure: the same facts, in any order, give the same config. Every node steers the mesh's prefixes to the gateways, and every gateway the pods' prefixes
/// to their nodes, by an overlay of our own: the CNI plug-in's devices, routes and source checks never see a foreign address on their way.
/// </remarks>
public static class NodePlanner
{
    /// <summary>Both overlays' names begin so. Not matched by <c>mf*</c>, which names tunnels.</summary>
    public const string OverlayPrefix = "meshx";

    public const string OverlayName = OverlayPrefix + "0";

    public const int Vni = 7710;

    /// <summary>For flows that a gateway's service proxy translated.</summary>
    public const string ServiceOverlayName = OverlayPrefix + "1";

    public const int ServiceVni = 7711;

    /// <summary>UDP ports that the overlay may use, best first: none of them is a CNI plug-in's or another mesh's.</summary>
    public static readonly ValueList<int> Ports = [7710, 7712, 7714, 7716];

    /// <summary>On gateways: the mesh by its tunnels, on nodes by those alone that are alive.</summary>
    public const int TunnelTable = 7710;

    /// <summary>On gateways: the pods of other nodes.</summary>
    public const int PodTable = 7711;

    /// <summary>The mesh by the gateways; on a gateway by the others, for what its own tunnels do not carry. Everywhere the last table that knows the mesh: what nothing carries is refused there.</summary>
    public const int GatewayTable = 7712;

    /// <summary>On gateways: pods, for what the service proxy there translated.</summary>
    public const int ServiceTable = 7713;

    /// <summary>On gateways of a cluster: the mesh by its tunnels whatever their state, for what other nodes hand over. It must not go back to them.</summary>
    public const int TransitTable = 7714;

    /// <summary>Plus a gateway's number: the mesh by that gateway.</summary>
    public const int ReturnTable = 7720;

    /// <summary>The bits of a packet's or a connection's mark that are ours. kube-proxy, Calico, Weave Net, Cilium, AWS and portmap use others.</summary>
    public const uint MarkMask = 0xf;

    /// <summary>Of packets that the service proxy on a gateway translated; answers have their gateway's number plus one.</summary>
    public const int TranslatedMark = 0xf;

    // After Cilium's local rule (100) and before its others (109); before those of AWS (512) and main.
    public const int TransitPriority = 102;
    public const int ServicePriority = 103;
    public const int ReturnPriority = 104;
    public const int TunnelPriority = 105;
    public const int PodPriority = 106;
    public const int GatewayPriority = 107;

    /// <param name="isAlive">Gateways, by name, that carry traffic now; when none does, a node that is no gateway uses all.</param>
    /// <param name="tunnels">Devices of the gateway on this very node; empty where there is none.</param>
    /// <param name="judgesForwarding">True when the cluster has a policy engine that filters what is forwarded.</param>
    public static NodeConfig Plan(OverlayFacts facts, string node, Func<string, bool> isAlive, ValueList<string> tunnels, bool judgesForwarding)
    {
        var findings = new List<Finding>();
        var self = facts.Nodes.FirstOrDefault(n => n.Name == node);
        if (self is null || facts.Lead is not { } lead)
        {
            return NodeConfig.None(node);
        }

        var gateways = Placed(facts, findings);
        var isGateway = facts.Gateways.Any(g => g.Node == node);
        var peers = (isGateway ? facts.Nodes.Where(n => n.Name != node) : gateways.Select(g => g.Node)).Where(n => SameFamily(n, self, findings)).DistinctBy(n => n.Name).OrderBy(n => n.Name, StringComparer.Ordinal).ToList();
        var remote = Sound(lead.RemotePrefixes, self, findings);
        var others = gateways.Where(g => g.Node.Name != node && peers.Exists(p => p.Name == g.Node.Name)).ToList();
        var routes = ToMesh(self, lead, remote, others, isAlive, isGateway);
        ValueList<OverlayRule> rules = [];
        if (isGateway)
        {
            routes = routes.Concat(ToPods(self, peers, PodTable, n => n.PodPrefixes.Append(Cidr.Host(n.Address)))).ToValueList();
            rules = PodRules(peers, tunnels, facts.Gateways.Where(g => g.Node == node).SelectMany(g => g.TunnelAddresses).ToList());
        }

        if (self.TakenPorts.Contains(lead.Port))
        {
            findings.Add(new Finding(FindingSeverity.Warning, "overlay-port-taken", $"node/{node}", $"UDP port {lead.Port} of the overlay is used by something else on {node}.", "The gateways choose another port by themselves; if this stays, all candidates are taken: free one of " + string.Join(", ", Ports) + "."));
        }

        var overlay = peers.Count == 0 ? null : new OverlayDevice(OverlayName, Vni, lead.Port, self.Address, HardwareAddress(node), peers.Select(Peer).ToValueList());
        var services = lead.ServicePrefixes.Count == 0 || overlay is null ? null : ServiceSteering.Of(self, remote, peers, others, isGateway);
        return new NodeConfig(
            node,
            overlay,
            routes.Concat(services?.Routes ?? []).ToValueList(),
            rules.Concat(ToGateways(remote, routes)).Concat(services?.Rules ?? []).ToValueList(),
            new NodeFirewall(lead.LocalPrefixes, remote, self.Sources, isGateway ? Widest(peers.SelectMany(p => p.PodPrefixes)) : [], isGateway ? Lent(self, peers).Order().ToValueList() : [], !judgesForwarding)
            {
                ReturnMarks = services?.Marks ?? [],
                TranslatesServices = services is not null && isGateway,
            },
            findings.OrderBy(f => f.Subject, StringComparer.Ordinal).ThenBy(f => f.Code, StringComparer.Ordinal).ToValueList())
        {
            ServiceOverlay = services is null ? null : overlay! with { Name = ServiceOverlayName, Vni = ServiceVni },
        };
    }

    /// <summary>The present port for as long as no node needs it for something else, then the best such one; the best of all when each is taken somewhere.</summary>
    public static int ChoosePort(IEnumerable<OverlayNode> nodes, int? present)
    {
        var taken = nodes.SelectMany(n => n.TakenPorts).ToHashSet();
        return present is { } port && Ports.Contains(port) && !taken.Contains(port) ? port : Ports.FirstOrDefault(p => !taken.Contains(p), present ?? Ports[0]);
    }

    /// <summary>Locally administered, unicast; 40 bits of the name's hash: two of 10,000 nodes meet with a chance of 1 in 20,000.</summary>
    public static string HardwareAddress(string node) =>
        "02" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(node)), 0, 5);

    /// <summary>The link-local address that the kernel makes of a hardware address (modified EUI-64).</summary>
    public static IPAddress LinkLocal(string hardwareAddress)
    {
        var mac = Convert.FromHexString(hardwareAddress);
        return new IPAddress([0xfe, 0x80, 0, 0, 0, 0, 0, 0, (byte)(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]]);
    }

    internal static OverlayPeer Peer(OverlayNode node) => new(node.Name, node.Address, LinkLocal(HardwareAddress(node.Name)), HardwareAddress(node.Name));

    static List<(OverlayGateway Gateway, OverlayNode Node)> Placed(OverlayFacts facts, List<Finding> findings)
    {
        var placed = new List<(OverlayGateway, OverlayNode)>();
        foreach (var gateway in facts.Gateways.OrderBy(g => g.Name, StringComparer.Ordinal))
        {
            if (facts.Nodes.FirstOrDefault(n => n.Name == gateway.Node) is { } node)
            {
                placed.Add((gateway, node));
            }
            else
            {
                findings.Add(new Finding(FindingSeverity.Warning, "gateway-without-node", $"gateway/{gateway.Name}", $"Gateway {gateway.Name} is on node {gateway.Node}, which tells no address.", "Its agent writes a MeshNode of that name within seconds; look whether its pod runs."));
            }
        }

        return placed;
    }

    static bool SameFamily(OverlayNode node, OverlayNode self, List<Finding> findings)
    {
        if (node.Name == self.Name || node.Address.AddressFamily == self.Address.AddressFamily)
        {
            return node.Name != self.Name;
        }

        findings.Add(new Finding(FindingSeverity.Error, "node-other-family", $"node/{node.Name}", $"{node.Name} has the address {node.Address} and {self.Name} {self.Address}: no overlay between IPv4 and IPv6.", "Give both nodes an InternalIP of the same family."));
        return false;
    }

    // A prefix that has the node's own address in it would take the node off its network.
    static ValueList<Cidr> Sound(ValueList<Cidr> remote, OverlayNode self, List<Finding> findings)
    {
        foreach (var prefix in remote.Where(p => p.Contains(self.Address)))
        {
            findings.Add(new Finding(FindingSeverity.Error, "prefix-covers-node", $"node/{self.Name}", $"{prefix} of another cluster contains {self.Address}, the address of this node, and is not routed here.", "Join that cluster with a narrower pod CIDR, or give one of the two networks other addresses."));
        }

        return remote.Where(p => !p.Contains(self.Address)).Order().ToValueList();
    }

    static IEnumerable<OverlayRule> ToGateways(ValueList<Cidr> remote, ValueList<OverlayRoute> routes) =>
        Families(remote.Concat(routes.Where(r => r.Table == GatewayTable).Select(r => r.Destination))).Select(f => new OverlayRule(GatewayPriority, GatewayTable, f, null, null));

    static ValueList<OverlayRoute> ToMesh(OverlayNode self, OverlayGateway lead, ValueList<Cidr> remote, List<(OverlayGateway Gateway, OverlayNode Node)> gateways, Func<string, bool> isAlive, bool onlyAlive)
    {
        var alive = gateways.Where(g => isAlive(g.Gateway.Name)).ToList();
        var used = (alive.Count > 0 || onlyAlive ? alive : gateways).Select(g => Peer(g.Node)).DistinctBy(p => p.Node).ToList();
        return (used.Count > 0 ? remote : []).Select(p => new OverlayRoute(GatewayTable, p, Source(self, p.IsIPv4), used.Select(u => Hop(u, p.IsIPv4)).OrderBy(h => h.ToString(), StringComparer.Ordinal).ToValueList(), Mtu(lead, p.IsIPv4)))
            // Each gateway's own addresses by itself alone, dead or alive: that is what is probed.
            .Concat(gateways.SelectMany(g => g.Gateway.TunnelAddresses.Select(a => new OverlayRoute(GatewayTable, a, Source(self, a.IsIPv4), [Hop(Peer(g.Node), a.IsIPv4)], Mtu(lead, a.IsIPv4)))))
            .DistinctBy(r => r.Destination)
            .OrderBy(r => r.Destination)
            .ToValueList();
    }

    // IPv6 has no less (RFC 8200).
    static int Mtu(OverlayGateway lead, bool ipv4) => ipv4 || lead.Mtu == 0 ? lead.Mtu : Math.Max(lead.Mtu, 1280);

    // A node may have pods with addresses of another's prefix (Calico lends them); the longer prefix wins, and the own ones are left to the plug-in.
    static IEnumerable<Cidr> Lent(OverlayNode self, List<OverlayNode> peers) => self.PodPrefixes.Where(own => peers.Exists(n => n.PodPrefixes.Any(p => p != own && p.Contains(own))));

    /// <param name="prefixes">What is reached on a peer.</param>
    internal static ValueList<OverlayRoute> ToPods(OverlayNode self, List<OverlayNode> peers, int table, Func<OverlayNode, IEnumerable<Cidr>> prefixes) => Lent(self, peers)
        .Select(own => new OverlayRoute(table, own, null, [], 0))
        .Concat(peers.SelectMany(n => prefixes(n).Distinct().Select(p => new OverlayRoute(table, p, null, [Hop(Peer(n), p.IsIPv4)], 0))))
        .DistinctBy(r => r.Destination)
        .OrderBy(r => r.Destination)
        .ToValueList();

    // IPv4 goes by the host's own address, for the device needs none then; IPv6 by the link-local one, whatever family the host has.
    internal static IPAddress Hop(OverlayPeer peer, bool ipv4) =>
        ipv4 && peer.Host.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? peer.Host : peer.Hop6;

    static IPAddress? Source(OverlayNode node, bool ipv4) => node.Sources.FirstOrDefault(s => s.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork == ipv4)
        ?? (ipv4 == (node.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork) ? node.Address : null);

    // What comes out of a tunnel, and what this gateway itself says to a node as itself: both ways by the same device, so that no source check objects.
    static ValueList<OverlayRule> PodRules(List<OverlayNode> peers, ValueList<string> tunnels, List<Cidr> own) =>
        Families(peers.SelectMany(p => p.PodPrefixes.Append(Cidr.Host(p.Address))))
            .SelectMany(f => tunnels.Order(StringComparer.Ordinal).Select(t => new OverlayRule(PodPriority, PodTable, f, t, null))
                .Concat(own.Where(a => a.IsIPv4 == f).Order().Select(a => new OverlayRule(PodPriority, PodTable, f, null, a))))
            .ToValueList();

    // A set of intervals takes none inside another.
    static ValueList<Cidr> Widest(IEnumerable<Cidr> prefixes)
    {
        var all = prefixes.Distinct().Order().ToList();
        return all.Where(p => !all.Exists(q => q != p && q.Contains(p))).ToValueList();
    }

    internal static IEnumerable<bool> Families(IEnumerable<Cidr> prefixes) => prefixes.Select(p => p.IsIPv4).Distinct().OrderDescending();
}
