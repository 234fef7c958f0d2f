using System.Net.Sockets;

namespace MeshFabric.Netlink.Route;

/// <summary>Permanent neighbours, and the forwarding entries of VXLAN devices.</summary>
public sealed partial class RouteNetlink
{
    /// <summary>Of one link, both families.</summary>
    public IReadOnlyList<Neighbour> Neighbours(int link) =>
        new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 }
            .SelectMany(family => Dump(NeighbourMessages.Get, w => NeighbourMessages.WriteList(w, RouteMessages.Family(family)), NeighbourMessages.New, "listing neighbours", p => NeighbourMessages.ReadNeighbour(p)))
            .Where(n => n.LinkIndex == link)
            .ToList();

    /// <summary>Adds a neighbour, or changes its hardware address.</summary>
    public void AddNeighbour(Neighbour neighbour) =>
        Request(NeighbourMessages.New, MessageFlags.Create | MessageFlags.Replace, $"adding the neighbour {neighbour.Address}", w => NeighbourMessages.Write(w, neighbour));

    /// <summary>Deletes a neighbour; one that does not exist is no error.</summary>
    public void DeleteNeighbour(Neighbour neighbour) =>
        Request(NeighbourMessages.Delete, MessageFlags.None, $"deleting the neighbour {neighbour.Address}", w => NeighbourMessages.Write(w, neighbour), e => e is NetlinkException.NoEntry or NetlinkException.NoDevice);

    /// <summary>Of one VXLAN device.</summary>
    public IReadOnlyList<ForwardingEntry> ForwardingEntries(int link) =>
        Dump(NeighbourMessages.Get, w => NeighbourMessages.WriteList(w, NeighbourMessages.Bridge), NeighbourMessages.New, "listing forwarding entries", p => NeighbourMessages.ReadForwarding(p))
            .Where(e => e.LinkIndex == link)
            .ToList();

    /// <summary>Adds an entry, or changes its host.</summary>
    public void AddForwardingEntry(ForwardingEntry entry) =>
        Request(NeighbourMessages.New, MessageFlags.Create | MessageFlags.Replace, $"adding the forwarding entry to {entry.Host}", w => NeighbourMessages.Write(w, entry));

    /// <summary>Deletes an entry; one that does not exist is no error.</summary>
    public void DeleteForwardingEntry(ForwardingEntry entry) =>
        Request(NeighbourMessages.Delete, MessageFlags.None, $"deleting the forwarding entry to {entry.Host}", w => NeighbourMessages.Write(w, entry), e => e is NetlinkException.NoEntry or NetlinkException.NoDevice);
}
