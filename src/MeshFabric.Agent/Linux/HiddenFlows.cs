using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Netlink.Conntrack;

namespace MeshFabric.Agent.Linux;

/// <summary>Flows between this cluster and the mesh whose source is hidden behind another address: they began before our rules were there and would stay so to their end.</summary>
static class HiddenFlows
{
    /// <returns>How many were forgotten; each begins anew, seen as it is, with its next packet.</returns>
    public static int Forget(NodeFirewall config) => ConntrackTable.Forget(flow => IsHidden(flow, config.LocalPrefixes, config.RemotePrefixes));

    /// <summary>Pure.</summary>
    public static bool IsHidden(TrackedFlow flow, ValueList<Cidr> local, ValueList<Cidr> remote) =>
        !flow.AnsweredTo.Equals(flow.Source)
        && ((In(local, flow.Source) && In(remote, flow.Answerer)) || (In(remote, flow.Source) && In(local, flow.Answerer)));

    static bool In(ValueList<Cidr> cidrs, System.Net.IPAddress address) => cidrs.Any(c => c.Contains(address));
}
