using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>How the cluster's own API is reached, and what is known better than it can tell.</summary>
public sealed record KubernetesOptions
{
    /// <summary>Null: in-cluster configuration, from the service account that the pod runs as.</summary>
    public string? Kubeconfig { get; init; }

    /// <summary>Null: the kubeconfig's current context.</summary>
    public string? Context { get; init; }

    /// <summary>Where the agent may make the Service that asks for the Service CIDR. Null: the namespace of its pod, or of the kubeconfig's context, else <c>default</c>.</summary>
    public string? Namespace { get; init; }

    /// <summary>When not empty, taken as the cluster's pod CIDRs without looking any further.</summary>
    public ValueList<Cidr> PodCidrs { get; init; } = ValueList<Cidr>.Empty;

    /// <summary>As <see cref="PodCidrs"/>, of the Service CIDRs.</summary>
    public ValueList<Cidr> ServiceCidrs { get; init; } = ValueList<Cidr>.Empty;

    /// <summary>What the API server answered to whoever installed this agent; of use where nothing else names the Service CIDR.</summary>
    public string? AnsweredServiceCidr { get; init; }

    /// <summary>False: the API server is not asked. Agents of nodes may make no Services.</summary>
    public bool AsksForServiceCidr { get; init; } = true;

    /// <summary>How often the parts that are not watched (configuration, version, Service CIDR) are read again.</summary>
    public TimeSpan Refresh { get; init; } = TimeSpan.FromMinutes(5);
}
