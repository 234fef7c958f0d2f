using System.Net;
using k8s.Models;

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
}
