using System.Net;
using k8s;
using k8s.Autorest;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Installation;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Reads what the inventory needs besides the nodes.</summary>
/// <remarks>
/// What does not exist is nothing to say; what is forbidden is a warning with the rule that is missing; an API that cannot be reached
/// fails the whole reading, so that a hiccup never looks like a cluster that lost its pod CIDR.
/// </remarks>
/// <param name="probeNamespace">Where the refused Service is tried; null: it is not.</param>
/// <param name="answered">What was answered to somebody else; null for nothing.</param>
sealed class ClusterSettingsReader(IKubernetes client, string? probeNamespace, string? answered)
{
    const string SystemNamespace = "kube-system";

    const int PodLimit = 500;

    readonly CniSettingsReader _cni = new(client);
    string? _probed;

    public async Task<ClusterSettings> ReadAsync(CancellationToken cancellationToken)
    {
        var reads = new PermittedReads(client);
        var version = await reads.TryAsync("read its version", RbacRule.Version, () => client.Version.GetCodeAsync(cancellationToken));
        var kubeadm = await ConfigMapAsync("kubeadm-config", reads, cancellationToken);
        var proxy = await ConfigMapAsync("kube-proxy", reads, cancellationToken);
        var pods = await reads.TryAsync("list pods of namespace kube-system", RbacRule.Pods,
            () => client.CoreV1.ListNamespacedPodAsync(SystemNamespace, limit: PodLimit, cancellationToken: cancellationToken));
        var serviceCidrs = await reads.TryAsync("list ServiceCIDRs", RbacRule.ServiceCidrs, () => client.NetworkingV1.ListServiceCIDRAsync(cancellationToken: cancellationToken));
        var settings = new ClusterSettings(version?.GitVersion ?? "", pods?.Items.ToList() ?? [])
        {
            KubeadmConfig = kubeadm,
            ProxyConfig = proxy,
            ServiceCidrObjects = serviceCidrs?.Items.SelectMany(c => c.Spec?.Cidrs ?? []).ToList() ?? [],
            Cni = await _cni.ReadAsync(reads, cancellationToken),
        };
        if (ClusterCidrs.Services(settings).Cidrs.Count == 0)
        {
            // Once found it is kept: the range of a running cluster does not change, and this one writes.
            _probed ??= answered ?? (probeNamespace is null ? null : await ProbeAsync(probeNamespace, reads, cancellationToken));
            settings = settings with { ProbedServiceCidr = _probed };
        }

        return settings with { Warnings = reads.Warnings };
    }

    async Task<IReadOnlyList<string>> ConfigMapAsync(string name, PermittedReads reads, CancellationToken cancellationToken)
    {
        var map = await reads.TryAsync($"get ConfigMap {SystemNamespace}/{name}", RbacRule.ConfigMaps,
            () => client.CoreV1.ReadNamespacedConfigMapAsync(name, SystemNamespace, cancellationToken: cancellationToken));
        return map?.Data?.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => d.Value).ToList() ?? [];
    }

    async Task<string?> ProbeAsync(string space, PermittedReads reads, CancellationToken cancellationToken)
    {
        try
        {
            return await ServiceCidrQuestion.AskAsync(client, space, cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Forbidden)
        {
            reads.Warn("the Service CIDR is not known: " + KubernetesErrors.Describe(e, client.BaseUri, "ask for it by an invalid Service", RbacRule.ServiceProbe with { Namespace = space }));
            return null;
        }
    }
}
