using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.State;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.ServiceDefaults;

namespace MeshFabric.Agent.Local;

/// <summary>The agent's latest state, for those who only look: status, metrics, readiness. Written by the loop, read from any thread.</summary>
public sealed class AgentView
{
    static readonly AgentStatus Nothing = new(ProductVersion.Current, "gateway", "", "", "", false, "", 0, 0, 0, "", "", "", [], []);
    readonly Lock _lock = new();
    AgentStatus _status = Nothing;

    public AgentStatus Status
    {
        get
        {
            lock (_lock)
            {
                return _status;
            }
        }
    }

    public long Turns { get; private set; }

    public long FailedTurns { get; private set; }

    /// <summary>How long the last good turn took.</summary>
    public TimeSpan LastTurn { get; private set; }

    public void Enrolled(AgentIdentity identity) => Change(s => s with
    {
        Cluster = identity.Cluster,
        Gateway = identity.Gateway,
        Server = identity.Server,
        Inventory = (identity.Inventory ?? InventorySettings.None).Describe(),
    });

    /// <summary>No longer part of the mesh; on a Kubernetes node the node's part goes on.</summary>
    public void Left() => Change(s => Nothing with { Node = s.Node });

    public void Applied(MeshFacts facts, GatewayConfig config, string backend, int mtu, ValueList<TunnelReport> tunnels) => Change(s => s with
    {
        Role = config.IsLeaf ? "leaf" : facts.Clusters.FirstOrDefault(c => c.Name == config.Cluster)?.Kind == ClusterKind.Machine ? "machine" : "gateway",
        Backend = backend,
        FactsRevision = facts.Revision,
        AppliedRevision = config.Revision,
        Mtu = mtu,
        Tunnels = tunnels,
        Findings = config.Findings,
    });

    public void Failed(string reason)
    {
        Change(s => s with { Error = reason });
        lock (_lock)
        {
            Turns++;
            FailedTurns++;
        }
    }

    public void Succeeded(TimeSpan took)
    {
        Change(s => s.Error.Length == 0 ? s : s with { Error = "" });
        lock (_lock)
        {
            Turns++;
            LastTurn = took;
        }
    }

    public void Node(NodeStatus node) => Change(s => s with { Node = node });

    void Change(Func<AgentStatus, AgentStatus> change)
    {
        lock (_lock)
        {
            _status = change(_status);
        }
    }
}
