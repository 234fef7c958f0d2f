using System.Net;
using System.Net.Sockets;
using k8s.Models;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Nodes;

/// <summary>From the objects in the cluster's API to facts. Pure; what cannot be read is left out, for others must not suffer from it.</summary>
static class OverlayReading
{
    /// <param name="nodes">Kubernetes' own: whoever is not among them is gone, whatever is left of it.</param>
    public static OverlayFacts Facts(IReadOnlyCollection<V1Node> nodes, IReadOnlyCollection<MeshGatewayObject> gateways, IReadOnlyCollection<MeshNodeObject> meshNodes)
    {
        var known = nodes.Select(n => n.Metadata.Name).ToHashSet(StringComparer.Ordinal);
        return new OverlayFacts(
            // Also those of nodes that are gone: what the mesh's prefixes are is known from them until another takes their place.
            gateways.OrderBy(g => g.Metadata.Name, StringComparer.Ordinal).Select(Gateway).ToValueList(),
            meshNodes.Where(n => known.Contains(n.Metadata.Name) && !n.Status.Left).OrderBy(n => n.Metadata.Name, StringComparer.Ordinal).Select(Node).OfType<OverlayNode>().ToValueList());
    }

    /// <summary>Of nodes that are no gateways, the first by name: their own addresses among the pods, which answer pings by the overlay.</summary>
    public static ValueList<Cidr> Beacons(OverlayFacts facts) => facts.Nodes.Where(n => facts.Gateways.All(g => g.Node != n.Name))
        .Select(n => n.Sources.FirstOrDefault(s => s.AddressFamily == AddressFamily.InterNetwork)).OfType<IPAddress>().Select(Cidr.Host).Take(Beaconed).Order().ToValueList();

    const int Beaconed = 2;

    static OverlayGateway Gateway(MeshGatewayObject gateway) => new(
        gateway.Metadata.Name,
        gateway.Spec.Node,
        gateway.Spec.Overlay.Port,
        gateway.Spec.Mtu,
        Cidrs(gateway.Spec.LocalPrefixes),
        Cidrs(gateway.Spec.RemotePrefixes),
        Cidrs(gateway.Spec.TunnelAddresses))
    {
        Ordinal = gateway.Spec.Ordinal,
        ServicePrefixes = Cidrs(gateway.Spec.ServicePrefixes),
        WantsLeaves = gateway.Spec.Granularity == MeshGatewaySpec.NodeGranularity,
    };

    static OverlayNode? Node(MeshNodeObject node) => IPAddress.TryParse(node.Status.Address, out var address)
        ? new OverlayNode(node.Metadata.Name, address, Cidrs(node.Status.PodPrefixes), Addresses(node.Status.Sources), node.Status.TakenPorts.Order().ToValueList())
        : null;

    static ValueList<Cidr> Cidrs(IEnumerable<string> texts) => texts.Select(t => Cidr.TryParse(t, out var cidr) ? cidr : null).OfType<Cidr>().Distinct().Order().ToValueList();

    static ValueList<IPAddress> Addresses(IEnumerable<string> texts) => texts.Select(t => IPAddress.TryParse(t, out var address) ? address : null).OfType<IPAddress>().ToValueList();
}
