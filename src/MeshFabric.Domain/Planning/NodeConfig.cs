using System.Net;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>All that one node of a Kubernetes cluster must run besides its gateway, if it is one. Compares by value; every list is sorted.</summary>
/// <param name="Overlay">Null: nothing, there is no gateway or no other node.</param>
public sealed record NodeConfig(string Node, OverlayDevice? Overlay, ValueList<OverlayRoute> Routes, ValueList<OverlayRule> Rules, NodeFirewall Firewall, ValueList<Finding> Findings)
{
    /// <summary>A second device between the same nodes, for flows that a gateway's service proxy translated: what comes by it goes back by that very gateway, which alone can undo it. Null: no Services are advertised.</summary>
    public OverlayDevice? ServiceOverlay { get; init; }

    /// <summary>Nothing: what a node that has left runs.</summary>
    public static NodeConfig None(string node) => new(node, null, [], [], NodeFirewall.None, []);
}

/// <summary>The VXLAN device (RFC 7348) between the nodes of one cluster. It learns nothing and asks nobody: every neighbour is known beforehand.</summary>
/// <param name="HardwareAddress">Six bytes, derived from the node's name, so that nobody has to be told.</param>
/// <param name="Peers">Who is reached by it, sorted by name.</param>
public sealed record OverlayDevice(string Name, int Vni, int Port, IPAddress Local, string HardwareAddress, ValueList<OverlayPeer> Peers);

/// <param name="Host">Where outer packets go; also the next hop of IPv4 routes.</param>
/// <param name="Hop6">Next hop of IPv6 routes: link-local, made from the hardware address (RFC 4291, appendix A).</param>
public sealed record OverlayPeer(string Node, IPAddress Host, IPAddress Hop6, string HardwareAddress);

/// <summary>A route by the overlay, in a table of ours.</summary>
/// <param name="Source">Preferred source address, or null.</param>
/// <param name="Hops">Neighbours on the overlay; several are ECMP. Sorted. None: the destination is left to the next rule.</param>
/// <param name="Mtu">Bytes; 0 for the device's.</param>
public sealed record OverlayRoute(int Table, Cidr Destination, IPAddress? Source, ValueList<IPAddress> Hops, int Mtu)
{
    /// <summary>The device that all hops are neighbours on.</summary>
    public string Device { get; init; } = NodePlanner.OverlayName;
}

/// <summary>A policy rule: which packets ask a table of ours.</summary>
/// <param name="InputDevice">Packets that came in by it; null: all.</param>
/// <param name="Source">Packets from there; null: from anywhere.</param>
/// <param name="Mark">Packets with this in the bits of <see cref="NodePlanner.MarkMask"/>; 0: all.</param>
public sealed record OverlayRule(int Priority, int Table, bool IsIPv4, string? InputDevice, Cidr? Source, int Mark = 0);

/// <summary>What a node's own nft table and its place in iptables' FORWARD chain must do.</summary>
/// <param name="LocalPrefixes">The cluster's own prefixes.</param>
/// <param name="RemotePrefixes">What the mesh is reached by from here.</param>
/// <param name="Sources">What the node's host network is seen as, at most one per family.</param>
/// <param name="Elsewhere">Pod prefixes of the other nodes, on a gateway: what only passes through it is not tracked there.</param>
/// <param name="Lent">Addresses in <paramref name="Elsewhere"/> that pods of this very node have: they are tracked like any other pod's.</param>
/// <param name="ForwardsFirst">True: no policy engine judges what is forwarded here, so the mesh may be accepted before all other rules. False: only after them.</param>
public sealed record NodeFirewall(ValueList<Cidr> LocalPrefixes, ValueList<Cidr> RemotePrefixes, ValueList<IPAddress> Sources, ValueList<Cidr> Elsewhere, ValueList<Cidr> Lent, bool ForwardsFirst)
{
    /// <summary>Gateways whose translated flows go back to them, by mark; empty where no Services are advertised.</summary>
    public ValueList<ReturnMark> ReturnMarks { get; init; } = [];

    /// <summary>This node is a gateway that translates Services for the mesh.</summary>
    public bool TranslatesServices { get; init; }

    public static readonly NodeFirewall None = new([], [], [], [], [], false);
}

/// <summary>How flows of one gateway's service proxy are known again.</summary>
/// <param name="HardwareAddress">Of the gateway's node: what such packets come from on the overlay.</param>
/// <param name="Mark">In the connection's mark, and so in the marks of its answers.</param>
public sealed record ReturnMark(string HardwareAddress, int Mark);
