using System.Net;
using System.Net.NetworkInformation;
using k8s.Models;
using MeshFabric.Net;

namespace MeshFabric.Agent.Nodes;

/// <summary>Which addresses a node is reached and seen by.</summary>
static class NodeAddress
{
    /// <summary>The first InternalIP; null for a node that has none.</summary>
    public static IPAddress? Of(V1Node node) => (node.Status?.Addresses ?? [])
        .Where(a => a.Type == "InternalIP")
        .Select(a => IPAddress.TryParse(a.Address, out var address) ? address : null)
        .FirstOrDefault(a => a is not null);

    /// <summary>Where others may reach a gateway on it: its ExternalIPs first, then its InternalIPs.</summary>
    public static IReadOnlyList<string> Endpoints(V1Node node, int port) => (node.Status?.Addresses ?? [])
        .Where(a => a.Type is "ExternalIP" or "InternalIP")
        .OrderBy(a => a.Type, StringComparer.Ordinal)
        .Select(a => IPAddress.TryParse(a.Address, out var address) ? new IPEndPoint(address, port).ToString() : null)
        .OfType<string>()
        .Distinct()
        .ToList();

    /// <summary>This host's own addresses inside the cluster's pod prefixes, one per family; those inside its own node's prefixes first.</summary>
    public static IReadOnlyList<IPAddress> Sources(IReadOnlyList<Cidr> cluster, ValueList<Cidr> node) => NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(i => i.GetIPProperties().UnicastAddresses.Select(a => a.Address))
        .Where(a => cluster.Any(c => c.Contains(a)))
        .OrderBy(a => node.Any(c => c.Contains(a)) ? 0 : 1)
        .ThenBy(a => a.ToString(), StringComparer.Ordinal)
        .DistinctBy(a => a.AddressFamily)
        .ToList();
}
