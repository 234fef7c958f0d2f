using System.Net;
using System.Text.RegularExpressions;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace MeshFabric.Installation;

/// <summary>Asks an API server for its Service CIDR by a Service that it must refuse: it names its range in the refusal. For API servers that have no ServiceCIDR objects (networking.k8s.io/v1, Kubernetes 1.33).</summary>
/// <remarks>A real create: with dryRun=All the API server never asks its allocator and accepts the address. Of a dual-stack cluster it names the first range only.</remarks>
public static partial class ServiceCidrQuestion
{
    // Of a network that no cluster uses for its Services.
    const string ImpossibleAddress = "1.1.1.1";

    /// <param name="space">A namespace that is there. Nothing stays in it.</param>
    /// <returns>Null: it was not told.</returns>
    /// <exception cref="HttpOperationException">The API server answered otherwise; 403: whoever asks may not create Services there.</exception>
    public static async Task<string?> AskAsync(IKubernetes client, string space, CancellationToken cancellationToken)
    {
        var service = new V1Service
        {
            Metadata = new V1ObjectMeta { GenerateName = "meshfabric-service-cidr-probe-" },
            Spec = new V1ServiceSpec { ClusterIP = ImpossibleAddress, Ports = [new V1ServicePort { Port = 443 }] },
        };
        try
        {
            var made = await client.CoreV1.CreateNamespacedServiceAsync(service, space, cancellationToken: cancellationToken);
            // It does use that network. Nothing of ours may stay behind, whoever cancelled meanwhile.
            using var services = new GenericClient(client, "", "v1", "services", disposeClient: false);
            await services.DeleteNamespacedAsync<V1Status>(space, made.Metadata.Name, CancellationToken.None);
            return null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.UnprocessableEntity)
        {
            return RangePattern().Match(e.Response.Content) is { Success: true } match ? match.Groups[1].Value : null;
        }
    }

    [GeneratedRegex(@"range of valid IPs is ([0-9a-fA-F.:]+/\d+)")]
    private static partial Regex RangePattern();
}
