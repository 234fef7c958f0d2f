using System.Net;
using System.Text.RegularExpressions;
using k8s;
using k8s.Autorest;
using k8s.Models;
using MeshFabric.Agent.Kubernetes.Networking;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Reads what the inventory needs besides the nodes.</summary>
/// <remarks>
/// What does not exist is nothing to say; what is forbidden is a warning with the rule that is missing; an API that cannot be reached
/// fails the whole reading, so that a hiccup never looks like a cluster that lost its pod CIDR.
/// </remarks>
/// <param name="probeNamespace">Where the refused Service is tried.</param>
sealed partial class ClusterSettingsReader(IKubernetes client, string probeNamespace)
{
    const string SystemNamespace = "kube-system";

    // Of a network that no cluster uses for its Services; the API server refuses it and names its range.
    const string ImpossibleAddress = "1.1.1.1";
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
            _probed ??= await ProbeAsync(reads, cancellationToken);
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

    /// <summary>A real create: with dryRun=All the API server never asks its allocator and accepts the address.</summary>
    async Task<string?> ProbeAsync(PermittedReads reads, CancellationToken cancellationToken)
    {
        var probe = new V1Service
        {
            Metadata = new V1ObjectMeta { GenerateName = "meshfabric-service-cidr-probe-" },
            Spec = new V1ServiceSpec { ClusterIP = ImpossibleAddress, Ports = [new V1ServicePort { Port = 443 }] },
        };
        try
        {
            var made = await client.CoreV1.CreateNamespacedServiceAsync(probe, probeNamespace, cancellationToken: cancellationToken);
            // It does use that network. Nothing of ours may stay behind, whoever cancelled meanwhile.
            using var services = new GenericClient(client, "", "v1", "services", disposeClient: false);
            await services.DeleteNamespacedAsync<V1Status>(probeNamespace, made.Metadata.Name, CancellationToken.None);
            return null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.UnprocessableEntity)
        {
            return RangePattern().Match(KubernetesErrors.Message(e)) is { Success: true } match ? match.Groups[1].Value : null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Forbidden)
        {
            reads.Warn("the Service CIDR is not known: " + KubernetesErrors.Describe(e, client.BaseUri, "ask for it by an invalid Service", RbacRule.ServiceProbe with { Namespace = probeNamespace }));
            return null;
        }
    }

    [GeneratedRegex(@"range of valid IPs is ([0-9a-fA-F.:]+/\d+)")]
    private static partial Regex RangePattern();
}
