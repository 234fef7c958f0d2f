using k8s.Models;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>What was read from the API, untouched.</summary>
public sealed record KubernetesSnapshot(IReadOnlyList<V1Node> Nodes, ClusterSettings Settings)
{
    /// <summary>From the agent's own configuration; wins over everything read.</summary>
    public ValueList<Cidr> ConfiguredPodCidrs { get; init; } = ValueList<Cidr>.Empty;

    /// <inheritdoc cref="ConfiguredPodCidrs"/>
    public ValueList<Cidr> ConfiguredServiceCidrs { get; init; } = ValueList<Cidr>.Empty;
}

/// <summary>The parts that change rarely and are read now and then.</summary>
/// <param name="Version">As the API server calls itself, such as <c>v1.33.1</c>.</param>
/// <param name="SystemPods">Of namespace kube-system; a managed control plane shows none of its own.</param>
public sealed record ClusterSettings(string Version, IReadOnlyList<V1Pod> SystemPods)
{
    /// <summary>Values of ConfigMap kube-system/kubeadm-config.</summary>
    public IReadOnlyList<string> KubeadmConfig { get; init; } = [];

    /// <summary>Values of ConfigMap kube-system/kube-proxy.</summary>
    public IReadOnlyList<string> ProxyConfig { get; init; } = [];

    /// <summary>Of all ServiceCIDR objects (networking.k8s.io, v1 since Kubernetes 1.33).</summary>
    public IReadOnlyList<string> ServiceCidrObjects { get; init; } = [];

    /// <summary>What the API server named when it refused a Service with an impossible address.</summary>
    public string? ProbedServiceCidr { get; init; }

    public CniSettings Cni { get; init; } = CniSettings.Empty;

    /// <summary>What could not be read and how to mend it, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
