using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.State;
using MeshFabric.Net;

namespace MeshFabric.Agent.Nodes;

/// <summary>Where role <c>node</c> keeps its files, apart from the gateway's: a gateway that ends deletes all of its own.</summary>
/// <param name="Agent">Above both: what the agent holds while it runs.</param>
sealed record NodeState(AgentStateDirectory Directory, AgentStateDirectory Agent)
{
    // Folders of the agent's state directory.
    public const string NodePart = "node";
    public const string GatewayPart = "gateway";
}

/// <summary>How the agent of a Kubernetes node was started.</summary>
/// <param name="Node">Name of the node, as its cluster's API knows it.</param>
/// <param name="Namespace">Where the leases of the gateways are.</param>
/// <param name="Kubeconfig">Null: the pod's service account.</param>
/// <param name="Context">Of the kubeconfig; null for its current one.</param>
/// <param name="TokenFile">Holds the cluster's standing join token.</param>
/// <param name="Gateways">How many gateways the cluster wants.</param>
/// <param name="ListenPort">First UDP port of WireGuard on a gateway.</param>
/// <param name="PodCidrs">Known better than the API can tell.</param>
/// <param name="Leaves">True: take everything of ours off this node, say so, and do nothing else.</param>
public sealed record NodeSettings(
    string Node, string Namespace, string? Kubeconfig, string? Context, string TokenFile, int Gateways, int ListenPort, ValueList<Cidr> PodCidrs, bool Leaves)
{
    /// <summary>Where this cluster's inventory is read, as it was started now, whatever was said when a gateway enrolled.</summary>
    public InventorySettings Inventory => new(null, Kubeconfig, Context, Kubeconfig is null, PodCidrs) { ServiceCidrs = ServiceCidrs, AnsweredServiceCidr = AnsweredServiceCidr, OfNode = true };

    /// <summary>As <paramref name="PodCidrs"/>, of the Service CIDRs.</summary>
    public ValueList<Cidr> ServiceCidrs { get; init; } = [];

    /// <inheritdoc cref="KubernetesOptions.AnsweredServiceCidr"/>
    public string? AnsweredServiceCidr { get; init; }
}
