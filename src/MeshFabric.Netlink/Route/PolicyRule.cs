using MeshFabric.Net;

namespace MeshFabric.Netlink.Route;

/// <summary>A policy rule: packets that match look their route up in a table.</summary>
/// <param name="Priority">Smaller is asked first; rules are recognised by it.</param>
/// <param name="IsIPv4">Else IPv6.</param>
/// <param name="Table">Routing table that is asked.</param>
/// <param name="InputLink">Name of the device they came in by; null for any.</param>
/// <param name="Source">Null for any.</param>
/// <param name="Destination">Null for any.</param>
/// <param name="Mark">Firewall mark; 0 for any.</param>
/// <param name="Protocol">Whose rule it is (rtm_protocol).</param>
/// <param name="MarkMask">Which bits of a packet's mark are compared with <paramref name="Mark"/>.</param>
public sealed record PolicyRule(uint Priority, bool IsIPv4, uint Table, string? InputLink, Cidr? Source, Cidr? Destination, uint Mark, byte Protocol, uint MarkMask = uint.MaxValue);
