using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>How flows for an advertised Service find back: by the gateway whose service proxy translated them, for no other can undo it.</summary>
/// <remarks>
/// A gateway marks what its proxy translated and sends it to the pods' nodes by an overlay of its own; a node remembers with the connection which gateway that
/// was, marks the answers so and sends them there by the same overlay. The tables know pods and the mesh only, so that outer packets, which inherit marks, pass.
/// </remarks>
sealed record ServiceSteering(ValueList<OverlayRoute> Routes, ValueList<OverlayRule> Rules, ValueList<ReturnMark> Marks)
{
    /// <param name="gateways">The other gateways that this node has an overlay with.</param>
    public static ServiceSteering Of(OverlayNode self, ValueList<Cidr> remote, List<OverlayNode> peers, List<(OverlayGateway Gateway, OverlayNode Node)> gateways, bool isGateway)
    {
        var back = gateways.Select(g => (Peer: NodePlanner.Peer(g.Node), g.Gateway.Ordinal)).ToList();
        var routes = back.SelectMany(g => remote.Select(p => new OverlayRoute(NodePlanner.ReturnTable + g.Ordinal, p, null, [NodePlanner.Hop(g.Peer, p.IsIPv4)], 0))).ToList();
        var rules = back.SelectMany(g => NodePlanner.Families(remote).Select(f => new OverlayRule(NodePlanner.ReturnPriority, NodePlanner.ReturnTable + g.Ordinal, f, null, null, g.Ordinal + 1))).ToList();
        if (isGateway)
        {
            var toPods = NodePlanner.ToPods(self, peers, NodePlanner.ServiceTable, n => n.PodPrefixes);
            routes.AddRange(toPods);
            rules.AddRange(NodePlanner.Families(toPods.Select(r => r.Destination)).Select(f => new OverlayRule(NodePlanner.ServicePriority, NodePlanner.ServiceTable, f, null, null, NodePlanner.TranslatedMark)));
        }

        return new ServiceSteering(
            routes.Select(r => r with { Device = NodePlanner.ServiceOverlayName }).ToValueList(),
            rules.ToValueList(),
            back.Select(g => new ReturnMark(g.Peer.HardwareAddress, g.Ordinal + 1)).ToValueList());
    }
}
