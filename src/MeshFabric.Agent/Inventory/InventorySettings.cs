using MeshFabric.Agent.Kubernetes;
using MeshFabric.Net;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Inventory;

/// <summary>Where this agent reads its cluster's inventory, as given at its enrolment. All empty: nowhere, the control service keeps what it was told.</summary>
/// <param name="File">Inventory in YAML, absolute path.</param>
/// <param name="Kubeconfig">Kubeconfig file, absolute path.</param>
/// <param name="Context">Of the kubeconfig; null for its current one.</param>
/// <param name="InCluster">Use the pod's service account.</param>
/// <param name="PodCidrs">Known better than the Kubernetes API can tell.</param>
public sealed record InventorySettings(string? File, string? Kubeconfig, string? Context, bool InCluster, ValueList<Cidr> PodCidrs)
{
    /// <summary>As <paramref name="PodCidrs"/>, of the Service CIDRs.</summary>
    public ValueList<Cidr> ServiceCidrs { get; init; } = [];

    /// <inheritdoc cref="KubernetesOptions.AnsweredServiceCidr"/>
    public string? AnsweredServiceCidr { get; init; }

    /// <summary>For the agent of a node, which may do less in the API than one outside.</summary>
    public bool OfNode { get; init; }

    public static readonly InventorySettings None = new(null, null, null, false, []);

    /// <summary>Null when there is nothing to read.</summary>
    /// <exception cref="KubernetesInventoryException">The kubeconfig or the service account cannot be used.</exception>
    public IInventorySource? Open(INodeObservations observations, TimeProvider time, ILoggerFactory logs) =>
        Kubeconfig is not null || InCluster ? KubernetesInventorySource.Create(new KubernetesOptions { Kubeconfig = Kubeconfig, Context = Context, PodCidrs = PodCidrs, ServiceCidrs = ServiceCidrs, AnsweredServiceCidr = AnsweredServiceCidr, AsksForServiceCidr = !OfNode }, observations, time, logs)
        : File is not null ? new FileInventorySource(File, time, logs.CreateLogger<FileInventorySource>())
        : null;

    /// <summary>For people.</summary>
    public string Describe() => InCluster ? "the Kubernetes API, as the pod's service account"
        : Kubeconfig is not null ? $"the Kubernetes API of {Kubeconfig}{(Context is null ? "" : $", context {Context}")}"
        : File ?? "none: as given to mfctl cluster join";
}
