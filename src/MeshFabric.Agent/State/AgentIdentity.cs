using MeshFabric.Agent.Inventory;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Agent.State;

/// <summary>Who this agent is since its enrolment; no secrets, those stand in files of their own.</summary>
/// <param name="Inventory">Null: nothing to read, the control service keeps what it was told.</param>
public sealed record AgentIdentity(int Format, string Server, string ClusterId, string Cluster, string GatewayId, string Gateway, int ListenPort, BrokerAddress Broker, InventorySettings? Inventory = null)
{
    /// <summary>It carries for the pods of its own node alone, and tells nothing of its cluster.</summary>
    public bool IsLeaf { get; init; }

    /// <summary>Version of identity.json.</summary>
    public const int CurrentFormat = 1;
}

/// <summary>The state directory cannot be used; the message names the file and what to do.</summary>
public sealed class AgentStateException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What is on disk is of no use to anybody, and waiting does not mend it.</summary>
    public bool IsDamage { get; init; }
}
