using System.IO;
using System.Linq;
using k8s;
using k8s.Exceptions;
using YamlDotNet.Core;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Opens the cluster's API as configured; nothing is sent yet.</summary>
static class KubernetesConnection
{
    static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(30);

    /// <exception cref="KubernetesInventoryException">No kubeconfig, no such context, or not in a pod.</exception>
    public static IKubernetes Open(KubernetesOptions options)
    {
        var configuration = Configuration(options);
        configuration.HttpClientTimeout = RequestLimit;
        // All requests and watches by one HTTP/2 connection would stand still together, for minutes, when an API server behind an address is gone without a word:
        // a request that runs into its limit closes only an HTTP/1.1 connection.
        configuration.DisableHttp2 = true;
        try
        {
            return new k8s.Kubernetes(configuration);
        }
        catch (Exception e) when (e is KubeConfigException or FormatException or System.Security.Cryptography.CryptographicException or UriFormatException)
        {
            throw new KubernetesInventoryException($"the credentials in {options.Kubeconfig ?? "the service account"} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>Of the pod that this is, or of the kubeconfig's context.</summary>
    public static string NamespaceOf(KubernetesOptions options) => Configuration(options).Namespace is { Length: > 0 } own ? own : "default";

    static KubernetesClientConfiguration Configuration(KubernetesOptions options) => options.Kubeconfig is { } file ? FromFile(file, options.Context) : InCluster();

    static KubernetesClientConfiguration FromFile(string file, string? context)
    {
        if (!File.Exists(file))
        {
            throw new KubernetesInventoryException($"there is no kubeconfig {file}: give its path with --kubeconfig, or --in-cluster inside a pod");
        }

        try
        {
            var known = KubernetesClientConfiguration.LoadKubeConfig(file).Contexts?.Select(c => c.Name).ToList() ?? [];
            if (context is not null && !known.Contains(context))
            {
                throw new KubernetesInventoryException($"kubeconfig {file} has no context '{context}'; it has: {(known.Count == 0 ? "none" : string.Join(", ", known))}");
            }

            return KubernetesClientConfiguration.BuildConfigFromConfigFile(file, context);
        }
        catch (Exception e) when (e is KubeConfigException or YamlException or FormatException or IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new KubernetesInventoryException($"kubeconfig {file} cannot be used: {e.Message}", e);
        }
    }

    static KubernetesClientConfiguration InCluster()
    {
        try
        {
            return KubernetesClientConfiguration.InClusterConfig();
        }
        catch (Exception e) when (e is KubeConfigException or IOException)
        {
            throw new KubernetesInventoryException("this is not a pod with a service account: --in-cluster works inside the cluster only; elsewhere give --kubeconfig FILE", e);
        }
    }
}
