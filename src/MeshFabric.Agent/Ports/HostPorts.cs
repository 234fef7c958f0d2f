using System.Net;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Ports;

/// <summary>The links of our WireGuard devices: MTU, addresses, up.</summary>
public interface ILinks
{
    /// <summary>What the kernel knows to fit through a tunnel whose outer packets go to this address, bytes; null when it has no way there.</summary>
    int? TunnelMtu(IPAddress outer);

    /// <summary>Which of the host's addresses it would send to that one from; null when it has no way there.</summary>
    IPAddress? SourceTowards(IPAddress to);

    /// <summary>Makes MTU and addresses of an existing device exactly so and sets it up. Repeating a call changes nothing.</summary>
    Task ApplyAsync(string device, int mtu, ValueList<Cidr> addresses, CancellationToken cancellationToken);
}

/// <summary>The routes that carry our protocol number; all others are left alone.</summary>
public interface IRouteTable
{
    /// <summary>Makes our routes exactly these, in one batch, adding or replacing before deleting. Repeating a call changes nothing.</summary>
    /// <param name="transit">For what other nodes of the cluster hand over to a gateway among them; null on other hosts.</param>
    /// <param name="users">Whose packets ask; null: everybody's.</param>
    Task ApplyAsync(ValueList<InstalledRoute> routes, ValueList<InstalledRoute>? transit, RouteUsers? users, CancellationToken cancellationToken);

    /// <summary>The most complete of what was applied: transit where there is any.</summary>
    Task<ValueList<InstalledRoute>> ReadAsync(CancellationToken cancellationToken);
}

/// <summary>Of a leaf.</summary>
/// <param name="Pods">They ask the routes.</param>
/// <param name="Own">The host's own addresses in the mesh, which ask those of transit: probes need the ways that are dead, and pods must not take them.</param>
public sealed record RouteUsers(ValueList<Cidr> Pods, ValueList<Cidr> Own);

/// <summary>A route as the kernel has it.</summary>
/// <param name="Source">Host prefix of the preferred source address, or null.</param>
/// <param name="Devices">One next hop each; several are ECMP. Sorted. None: what is for there is refused.</param>
/// <param name="Mtu">Route MTU in bytes; 0 for the device's.</param>
public sealed record InstalledRoute(Cidr Destination, Cidr? Source, ValueList<string> Devices, int Mtu)
{
    /// <inheritdoc cref="MeshRoute.IsShortcut"/>
    public bool IsShortcut { get; init; }
}

/// <summary>Our own nft tables; all others are left alone.</summary>
public interface IFirewall
{
    /// <summary>Replaces our tables in one transaction if they are not already exactly so.</summary>
    Task ApplyAsync(FirewallConfig config, CancellationToken cancellationToken);

    /// <summary>True when our tables are as last applied by this host's agent.</summary>
    Task<bool> IsInPlaceAsync(FirewallConfig config, CancellationToken cancellationToken);

    /// <summary>Deletes our tables.</summary>
    Task RemoveAsync(CancellationToken cancellationToken);
}

/// <summary>Hands encrypted packets on between pairs of gateways, in the kernel; what it learned of them outlives this process.</summary>
public interface IRelays
{
    /// <summary>Makes it exactly these ports. Repeating a call changes nothing; what was learned of ports that stay is kept.</summary>
    Task ApplyAsync(ValueList<RelayPort> ports, CancellationToken cancellationToken);

    /// <summary>Takes all of it off the host.</summary>
    Task RemoveAsync(CancellationToken cancellationToken);
}

/// <summary>One side of a relayed pair.</summary>
/// <param name="Port">UDP, of this host.</param>
/// <param name="Twin">The other side's port.</param>
/// <param name="Peer">The only IPv4 address that may send there: where this host's own tunnel knows that gateway to be.</param>
/// <param name="Own">The address of this host that the peer sends to.</param>
public sealed record RelayPort(int Port, int Twin, IPAddress Peer, IPAddress Own);

/// <summary>Sends and takes datagrams by ports that belong to WireGuard.</summary>
public interface IPathSocket : IDisposable
{
    /// <summary>Whatever could not be sent is lost, as it may be on its way.</summary>
    ValueTask SendAsync(int fromPort, IPEndPoint to, byte[] payload, CancellationToken cancellationToken);

    /// <summary>Hands over every path check that comes to this host, until disposed.</summary>
    Task ReceiveAsync(PathPacket take);
}

/// <param name="port">That it came to.</param>
public delegate void PathPacket(int port, IPEndPoint from, ReadOnlySpan<byte> payload);

/// <summary>The overlay between the nodes of a cluster: device, neighbours, routes and rules of ours; all others are left alone.</summary>
public interface IOverlay
{
    /// <summary>Makes it exactly what the config says, adding before deleting. Repeating a call changes nothing; <see cref="NodeConfig.None"/> takes it off the host.</summary>
    Task ApplyAsync(NodeConfig config, CancellationToken cancellationToken);

    /// <summary>Those of <see cref="NodePlanner.Ports"/> that something else on this host uses.</summary>
    ValueList<int> TakenPorts();
}

/// <summary>A node's own nft table, and our chains in iptables' FORWARD; all others are left alone.</summary>
public interface INodeFirewall
{
    /// <summary>Makes them so if they are not. Repeating a call changes nothing.</summary>
    Task ApplyAsync(NodeFirewall config, CancellationToken cancellationToken);

    /// <summary>Deletes what is ours.</summary>
    Task RemoveAsync(CancellationToken cancellationToken);
}

/// <summary>The few kernel settings that a gateway needs. What they were before is kept on disk and put back when the host leaves the mesh.</summary>
public interface IHostSettings
{
    /// <summary>Prepares this host; repeating a call changes nothing.</summary>
    /// <param name="forwards">False: a machine with nothing behind it, whose forwarding is not ours to switch on.</param>
    /// <param name="forwards6">IPv6 as well. A host that has its own default route from a router's advertisements keeps it.</param>
    void Prepare(bool forwards, bool forwards6);

    /// <summary>Puts back what <see cref="Prepare"/> changed and nobody else changed since.</summary>
    void Restore();
}
