using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Agent.Local;

/// <summary>What an agent knows of itself; what <c>meshfabric-agent status</c> shows. Holds no secret.</summary>
/// <param name="Role"><c>gateway</c> or <c>machine</c>.</param>
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
    ValueList<Finding> Findings);
