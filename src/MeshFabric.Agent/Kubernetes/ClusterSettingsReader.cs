using System.Net;
using System.Text.RegularExpressions;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Reads what the inventory needs besides the nodes.</summary>
/// <remarks>
/// What does not exist is nothing to say; what is forbidden is a warning with the rule that is missing; an API that cannot be reached
/// fails the whole reading, so that a hiccup never looks like a cluster that lost its pod CIDR.
/// </remarks>
sealed partial class ClusterSettingsReader(IKubernetes client)
{
    const string SystemNamespace = "kube-system";
    const string ProbeNamespace = "default";

    // Of a network that no cluster uses for its Services; the API server refuses it and names its range.
    const string ImpossibleAddress = "1.1.1.1";
    const int PodLimit = 500;

    string? _probed;

    public async Task<ClusterSettings> ReadAsync(CancellationToken cancellationToken)
    {
        var warnings = new List<string>();
        var version = await TryAsync("read its version", RbacRule.Version, warnings, () => client.Version.GetCodeAsync(cancellationToken));
        var kubeadm = await ConfigMapAsync("kubeadm-config", warnings, cancellationToken);
        var proxy = await ConfigMapAsync("kube-proxy", warnings, cancellationToken);
        var pods = await TryAsync("list pods of namespace kube-system", RbacRule.Pods, warnings,
            () => client.CoreV1.ListNamespacedPodAsync(SystemNamespace, limit: PodLimit, cancellationToken: cancellationToken));
        var serviceCidrs = await TryAsync("list ServiceCIDRs", RbacRule.ServiceCidrs, warnings, () => client.NetworkingV1.ListServiceCIDRAsync(cancellationToken: cancellationToken));
        var settings = new ClusterSettings(version?.GitVersion ?? "", pods?.Items.ToList() ?? [])
        {
            KubeadmConfig = kubeadm,
            ProxyConfig = proxy,
            ServiceCidrObjects = serviceCidrs?.Items.SelectMany(c => c.Spec?.Cidrs ?? []).ToList() ?? [],
        };
        if (ClusterCidrs.Services(settings).Cidrs.Count == 0)
        {
            // Once found it is kept: the range of a running cluster does not change, and this one writes.
            _probed ??= await ProbeAsync(warnings, cancellationToken);
            settings = settings with { ProbedServiceCidr = _probed };
        }

        return settings with { Warnings = [.. warnings.Distinct()] };
    }

    async Task<IReadOnlyList<string>> ConfigMapAsync(string name, List<string> warnings, CancellationToken cancellationToken)
    {
        var map = await TryAsync($"get ConfigMap {SystemNamespace}/{name}", RbacRule.ConfigMaps, warnings,
            () => client.CoreV1.ReadNamespacedConfigMapAsync(name, SystemNamespace, cancellationToken: cancellationToken));
        return map?.Data?.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => d.Value).ToList() ?? [];
    }

    /// <summary>A real create: with dryRun=All the API server never asks its allocator and accepts the address.</summary>
    async Task<string?> ProbeAsync(List<string> warnings, CancellationToken cancellationToken)
    {
        var probe = new V1Service
        {
            Metadata = new V1ObjectMeta { GenerateName = "meshfabric-service-cidr-probe-" },
            Spec = new V1ServiceSpec { ClusterIP = ImpossibleAddress, Ports = [new V1ServicePort { Port = 443 }] },
        };
        try
        {
            var made = await client.CoreV1.CreateNamespacedServiceAsync(probe, ProbeNamespace, cancellationToken: cancellationToken);
            // It does use that network. Nothing of ours may stay behind, whoever cancelled meanwhile.
            using var services = new GenericClient(client, "", "v1", "services", disposeClient: false);
            await services.DeleteNamespacedAsync<V1Status>(ProbeNamespace, made.Metadata.Name, CancellationToken.None);
            return null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.UnprocessableEntity)
        {
            return RangePattern().Match(KubernetesErrors.Message(e)) is { Success: true } match ? match.Groups[1].Value : null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Forbidden)
        {
            warnings.Add("the Service CIDR is not known: " + KubernetesErrors.Describe(e, client.BaseUri, "ask for it by an invalid Service", RbacRule.ServiceProbe));
            return null;
        }
    }

    async Task<T?> TryAsync<T>(string what, RbacRule rule, List<string> warnings, Func<Task<T>> read) where T : class
    {
        try
        {
            return await read();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Forbidden)
        {
            warnings.Add(KubernetesErrors.Describe(e, client.BaseUri, what, rule));
            return null;
        }
    }

    [GeneratedRegex(@"range of valid IPs is ([0-9a-fA-F.:]+/\d+)")]
    private static partial Regex RangePattern();
}
