using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Agent.Local;

/// <summary>What an agent knows of itself; what <c>meshfabric-agent status</c> shows. Holds no secret.</summary>
/// <param name="Role"><c>gateway</c>, <c>leaf</c> or <c>machine</c>.</param>
/// <param name="ControlConnected">The broker is reachable and accepts this agent.</param>
/// <param name="Backend"><c>kernel</c> or <c>userspace</c>; empty before the first turn.</param>
/// <param name="FactsRevision">Of the facts on disk; 0 before the first.</param>
/// <param name="AppliedRevision">Of the plan that the host was last made to match.</param>
/// <param name="Mtu">Of the tunnel devices, bytes.</param>
/// <param name="Inventory">Where the cluster's inventory is read.</param>
/// <param name="InventoryError">Why it cannot be read now; empty while it can.</param>
/// <param name="Error">Why the host could not be made as wanted in the last turn; empty when it could.</param>
public sealed record AgentStatus(
    string Version,
    string Role,
    string Cluster,
    string Gateway,
    string Server,
    bool ControlConnected,
    string Backend,
    long FactsRevision,
    long AppliedRevision,
    int Mtu,
    string Inventory,
    string InventoryError,
    string Error,
    ValueList<TunnelReport> Tunnels,
    ValueList<Finding> Findings)
{
    /// <summary>Role <c>node</c>; null on a host that is no Kubernetes node.</summary>
    public NodeStatus? Node { get; init; }
}

/// <summary>What an agent knows of the Kubernetes node that it is on.</summary>
/// <param name="Name">Of the node.</param>
/// <param name="Applied">The node was made as its gateways want it at least once; true as well while the cluster has no gateway.</param>
/// <param name="Error">Why it could not be made so in the last turn; empty when it could.</param>
/// <param name="ApiError">Why the cluster's API cannot be used now; empty while it can.</param>
/// <param name="OverlayPort">UDP; 0 without an overlay.</param>
/// <param name="Gateways">Of this cluster, as this node sees them.</param>
/// <param name="Routes">Routes by the overlay.</param>
public sealed record NodeStatus(string Name, bool Applied, string Error, string ApiError, int OverlayPort, ValueList<GatewaySeen> Gateways, int Routes, ValueList<Finding> Findings);

/// <param name="Alive">It answered one of the last probes by the overlay; its own node does not ask itself.</param>
public sealed record GatewaySeen(string Name, string Node, bool Alive);
