using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Exceptions;
using k8s.Models;
using MeshFabric.Installation;
using YamlDotNet.Core;

namespace MeshFabric.Cli.Installing;

/// <summary>The Kubernetes API of one cluster, as the person of a kubeconfig. What fails is told with the API's address and what to do.</summary>
sealed class ClusterApi(IKubernetes client, string kubeconfig, string? context) : IDisposable
{
    static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(30);

    /// <summary>HOST:PORT.</summary>
    public string Address => client.BaseUri.Authority;

    public string Kubeconfig => kubeconfig;

    /// <summary>Options of mfctl that lead to this very cluster, for what people are told to do next.</summary>
    public string Options => OptionsOf(kubeconfig, context);

    /// <inheritdoc cref="Options"/>
    public static string OptionsOf(string kubeconfig, string? context) => $"--kubeconfig {kubeconfig}{(context is null ? "" : $" --kube-context {context}")}";

    /// <summary>kubectl, led to this very cluster.</summary>
    public string Kubectl => $"kubectl --kubeconfig {kubeconfig}{(context is null ? "" : $" --context {context}")}";

    /// <exception cref="CommandException">There is no such file or context, or it cannot be used.</exception>
    public static ClusterApi Open(string file, string? context)
    {
        if (!File.Exists(file))
        {
            throw CommandException.Usage($"there is no kubeconfig {file}: give its path with --kubeconfig");
        }

        try
        {
            var known = KubernetesClientConfiguration.LoadKubeConfig(file).Contexts?.Select(c => c.Name).ToList() ?? [];
            if (context is not null && !known.Contains(context))
            {
                throw CommandException.Usage($"kubeconfig {file} has no context '{context}'; it has: {(known.Count == 0 ? "none" : string.Join(", ", known))}");
            }

            var configuration = KubernetesClientConfiguration.BuildConfigFromConfigFile(file, context);
            configuration.HttpClientTimeout = RequestLimit;
            return new ClusterApi(new k8s.Kubernetes(configuration), file, context);
        }
        catch (Exception e) when (e is KubeConfigException or YamlException or FormatException or UriFormatException or IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw CommandException.Usage($"kubeconfig {file} cannot be used: {e.Message}");
        }
    }

    /// <summary>One request.</summary>
    /// <param name="what">Completes "may not ..." and "when asked to ...".</param>
    public async Task<T> AskAsync<T>(string what, Func<IKubernetes, Task<T>> request, CancellationToken cancellationToken)
    {
        try
        {
            return await request(client);
        }
        catch (Exception e) when (ClusterApiFailure.IsExpected(e) && !cancellationToken.IsCancellationRequested)
        {
            throw ClusterApiFailure.Of(e, Address, what, kubeconfig);
        }
    }

    /// <summary>Null when there is none.</summary>
    public async Task<T?> FindAsync<T>(string name, string? @namespace, CancellationToken cancellationToken) where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var kind = typeof(T).GetKubernetesTypeMetadata();
        return await AskAsync<T?>($"get {Place(kind, name, @namespace)}", async k =>
        {
            try
            {
                using var objects = Generic(k, kind);
                return @namespace is null ? await objects.ReadAsync<T>(name, cancellationToken) : await objects.ReadNamespacedAsync<T>(@namespace, name, cancellationToken);
            }
            catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
            {
                return null;
            }
        }, cancellationToken);
    }

    /// <summary>Server-side apply (Kubernetes 1.16) as <see cref="InstallationNames.FieldManager"/>: repeating it changes nothing, fields of others are left alone.</summary>
    public Task ApplyAsync(IKubernetesObject<V1ObjectMeta> item, CancellationToken cancellationToken)
    {
        var kind = item.GetType().GetKubernetesTypeMetadata();
        var (name, patch) = (item.Metadata.Name, new V1Patch(KubernetesJson.Serialize(item), V1Patch.PatchType.ApplyPatch));
        var (space, owner) = (item.Metadata.NamespaceProperty, InstallationNames.FieldManager);
        return AskAsync<object>($"apply {Place(item)}", async k => (kind.Group, item) switch
        {
            (_, V1Namespace) => await k.CoreV1.PatchNamespaceAsync(patch, name, fieldManager: owner, cancellationToken: cancellationToken),
            (_, V1Node) => await k.CoreV1.PatchNodeAsync(patch, name, fieldManager: owner, cancellationToken: cancellationToken),
            (_, V1ServiceAccount) => await k.CoreV1.PatchNamespacedServiceAccountAsync(patch, name, space, fieldManager: owner, cancellationToken: cancellationToken),
            (_, V1Secret) => await k.CoreV1.PatchNamespacedSecretAsync(patch, name, space, fieldManager: owner, cancellationToken: cancellationToken),
            ({ Length: > 0 }, _) when space is null => await k.CustomObjects.PatchClusterCustomObjectAsync(patch, kind.Group, kind.ApiVersion, kind.PluralName, name, fieldManager: owner, cancellationToken: cancellationToken),
            ({ Length: > 0 }, _) => await k.CustomObjects.PatchNamespacedCustomObjectAsync(patch, kind.Group, kind.ApiVersion, space, kind.PluralName, name, fieldManager: owner, cancellationToken: cancellationToken),
            _ => throw new NotSupportedException($"a {item.Kind} is not installed"),
        }, cancellationToken);
    }

    /// <summary>False when it was not there.</summary>
    public async Task<bool> DeleteAsync(IKubernetesObject<V1ObjectMeta> item, CancellationToken cancellationToken)
    {
        var kind = item.GetType().GetKubernetesTypeMetadata();
        return await AskAsync($"delete {Place(item)}", async k =>
        {
            try
            {
                using var objects = Generic(k, kind);
                // The server answers with a Status or with the object, whichever it likes: neither is needed.
                _ = item.Metadata.NamespaceProperty is { } space
                    ? await objects.DeleteNamespacedAsync<JsonObjectOfKubernetes>(space, item.Metadata.Name, cancellationToken)
                    : await objects.DeleteAsync<JsonObjectOfKubernetes>(item.Metadata.Name, cancellationToken);
                return true;
            }
            catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
            {
                return false;
            }
        }, cancellationToken);
    }

    /// <summary>Without waiting for its node to say that it ended: for pods of nodes that will say nothing any more.</summary>
    public Task ForgetAsync(V1Pod pod, CancellationToken cancellationToken) => AskAsync($"delete {Place(pod)} at once", async k =>
    {
        try
        {
            using var answer = await k.CoreV1.DeleteNamespacedPodWithHttpMessagesAsync(pod.Metadata.Name, pod.Metadata.NamespaceProperty, new V1DeleteOptions { GracePeriodSeconds = 0 }, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }

        return true;
    }, cancellationToken);

    /// <summary>The gateways' slots.</summary>
    public async Task<IReadOnlyList<V1Lease>> LeasesAsync(CancellationToken cancellationToken) =>
        [.. (await AskAsync($"list leases of namespace {InstallationNames.Namespace}", k => k.CoordinationV1.ListNamespacedLeaseAsync(InstallationNames.Namespace, cancellationToken: cancellationToken), cancellationToken)).Items
            .Where(l => l.Metadata.Name.StartsWith(InstallationNames.LeasePrefix, StringComparison.Ordinal))];

    /// <summary>Whether anything runs in our namespace.</summary>
    public async Task<bool> HasPodsAsync(CancellationToken cancellationToken) =>
        (await AskAsync($"list pods of namespace {InstallationNames.Namespace}", k => k.CoreV1.ListNamespacedPodAsync(InstallationNames.Namespace, limit: 1, cancellationToken: cancellationToken), cancellationToken)).Items.Count > 0;

    /// <summary>Objects of a custom resource; none when the resource itself is not there.</summary>
    public Task<IReadOnlyList<JsonElement>> ListCustomAsync(string plural, CancellationToken cancellationToken) =>
        ListCustomAsync(InstallationNames.Group, InstallationNames.GroupVersion, plural, null, cancellationToken);

    /// <summary>As <see cref="ListCustomAsync(string, CancellationToken)"/>, of any group.</summary>
    /// <param name="labels">A selector; null for all.</param>
    public Task<IReadOnlyList<JsonElement>> ListCustomAsync(string group, string version, string plural, string? labels, CancellationToken cancellationToken) =>
        AskAsync<IReadOnlyList<JsonElement>>($"list {plural}.{group}", async k =>
        {
            try
            {
                var list = (JsonElement)await k.CustomObjects.ListClusterCustomObjectAsync(group, version, plural, labelSelector: labels, cancellationToken: cancellationToken);
                return [.. list.GetProperty("items").EnumerateArray()];
            }
            catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
            {
                return [];
            }
        }, cancellationToken);

    /// <summary>Pods of the agents.</summary>
    public async Task<IReadOnlyList<V1Pod>> PodsAsync(CancellationToken cancellationToken) =>
        [.. (await AskAsync($"list pods of namespace {InstallationNames.Namespace}",
            k => k.CoreV1.ListNamespacedPodAsync(InstallationNames.Namespace, labelSelector: $"{InstallationNames.NameLabel}={InstallationNames.Agent}", cancellationToken: cancellationToken), cancellationToken)).Items];

    public async Task<IReadOnlyList<V1Node>> NodesAsync(CancellationToken cancellationToken) =>
        [.. (await AskAsync("list nodes", k => k.CoreV1.ListNodeAsync(cancellationToken: cancellationToken), cancellationToken)).Items];

    public static string Place(IKubernetesObject<V1ObjectMeta> item) => Place(item.GetType().GetKubernetesTypeMetadata(), item.Metadata.Name, item.Metadata.NamespaceProperty);

    public void Dispose() => client.Dispose();

    static string Place(KubernetesEntityAttribute kind, string name, string? @namespace) => $"{kind.Kind} {(@namespace is null ? "" : @namespace + "/")}{name}";

    static GenericClient Generic(IKubernetes k, KubernetesEntityAttribute kind) => new(k, kind.Group, kind.ApiVersion, kind.PluralName, disposeClient: false);

    /// <summary>Whatever the API server sends.</summary>
    sealed class JsonObjectOfKubernetes : IKubernetesObject
    {
        public string ApiVersion { get; set; } = "";
        public string Kind { get; set; } = "";
    }
}
