using k8s;
using k8s.Models;
using MeshFabric.Installation;

namespace MeshFabric.Cli.Installing;

/// <summary>What a cluster has of us.</summary>
/// <param name="Version">Of its API.</param>
/// <param name="Namespace">Null: nothing is installed.</param>
/// <param name="Agents">Null: no agents.</param>
/// <param name="Runs">Something runs in the namespace.</param>
sealed record FoundInstallation(string Version, V1Namespace? Namespace, V1DaemonSet? Agents, bool Runs)
{
    /// <summary>Its name in the mesh. A manifest that was applied by hand says it only to the agents.</summary>
    public string? Cluster => Annotation(InstallationNames.ClusterAnnotation)
        ?? Agents?.Spec.Template.Spec.Containers.SelectMany(c => c.Env ?? []).FirstOrDefault(v => v.Name == InstallationNames.ClusterVariable)?.Value;

    public string? Mesh => Annotation(InstallationNames.MeshAnnotation);

    string? Annotation(string name) => Namespace?.Metadata.Annotations is { } annotations && annotations.TryGetValue(name, out var value) ? value : null;
}

/// <summary>Looks, before anything is changed, whether a cluster can be installed into: its version, what the person may do there, and whose it is.</summary>
static class InstallationCheck
{
    // The oldest that we run against.
    static readonly Version Oldest = new(1, 20);

    /// <summary>From it on nft maps a prefix to another one to one (netmap); some distributions have it in older ones.</summary>
    public static readonly Version OldestKernel = new(5, 8);

    /// <summary>Nodes whose kernel is older than <see cref="OldestKernel"/>.</summary>
    public static IReadOnlyList<string> TooOld(IEnumerable<V1Node> nodes) =>
        [.. nodes.Where(n => VersionOf(n.Status?.NodeInfo?.KernelVersion ?? "") is { } version && version < OldestKernel).Select(n => $"{n.Metadata.Name} ({n.Status.NodeInfo.KernelVersion})").Order(StringComparer.Ordinal)];

    /// <summary>What an installation does. Each is asked for by a SelfSubjectAccessReview.</summary>
    static readonly string[] Verbs = ["get", "create", "patch", "delete"];

    public static async Task<FoundInstallation> LookAsync(ClusterApi api, CancellationToken cancellationToken)
    {
        var version = (await api.AskAsync("tell its version", k => k.Version.GetCodeAsync(cancellationToken), cancellationToken)).GitVersion ?? "";
        var space = await api.FindAsync<V1Namespace>(InstallationNames.Namespace, null, cancellationToken);
        return new FoundInstallation(version, space, await api.FindAsync<V1DaemonSet>(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken), space is not null && await api.HasPodsAsync(cancellationToken));
    }

    /// <exception cref="CommandException">Exit code 5: too old, or something of that name is there that is not ours, or another mesh's.</exception>
    public static async Task RefuseStrangersAsync(ClusterApi api, FoundInstallation found, string cluster, string? mesh, CancellationToken cancellationToken)
    {
        if (VersionOf(found.Version) is { } version && version < Oldest)
        {
            throw new CommandException(ExitCode.Conflict, $"the cluster at {api.Address} runs Kubernetes {found.Version}; {Oldest} is the oldest that works", "upgrade the cluster, or join it by gateways outside pods: mfctl cluster join --help");
        }

        foreach (var definition in new[] { CustomResources.MeshGateway(), CustomResources.MeshNode() })
        {
            if (await api.FindAsync<V1CustomResourceDefinition>(definition.Metadata.Name, null, cancellationToken) is { } there && !IsOurs(there.Metadata))
            {
                throw new CommandException(ExitCode.Conflict, $"the cluster at {api.Address} has a custom resource {definition.Metadata.Name} that is not MeshFabric's", $"{api.Kubectl} get crd {definition.Metadata.Name} -o yaml");
            }
        }

        RefuseStrangers(api, found, cluster, mesh);
    }

    /// <summary>Only by its namespace.</summary>
    public static void RefuseStrangers(ClusterApi api, FoundInstallation found, string cluster, string? mesh)
    {
        if (found.Namespace is null)
        {
            return;
        }

        // A chart's namespace is made by Helm, without our label, and stays when its agents left; the agents in it bear it.
        if (!IsOurs(found.Agents?.Metadata ?? found.Namespace.Metadata) && (found.Agents is not null || found.Runs))
        {
            throw new CommandException(ExitCode.Conflict, $"the cluster at {api.Address} has a namespace {InstallationNames.Namespace} that is not MeshFabric's", $"{api.Kubectl} get namespace {InstallationNames.Namespace} -o yaml");
        }

        if (found.Mesh is { } other && mesh is not null && other != mesh)
        {
            throw new CommandException(ExitCode.Conflict, $"the cluster at {api.Address} belongs to another mesh (its CA begins with {other[..Math.Min(other.Length, 12)]}), as '{found.Cluster}'", $"with a context of that mesh: mfctl cluster leave {found.Cluster} {api.Options}");
        }

        if (found.Cluster is { } name && name != cluster)
        {
            throw new CommandException(ExitCode.Conflict, $"the cluster at {api.Address} is '{name}' in the mesh, not '{cluster}': is it the right --kubeconfig and --kube-context?", $"mfctl cluster get {name}");
        }
    }

    /// <summary>All that is missing at once.</summary>
    /// <exception cref="CommandException">Exit code 4.</exception>
    public static async Task RequirePermissionsAsync(ClusterApi api, IEnumerable<IKubernetesObject<V1ObjectMeta>> objects, CancellationToken cancellationToken)
    {
        var missing = new List<string>();
        foreach (var item in objects)
        {
            var kind = item.GetType().GetKubernetesTypeMetadata();
            foreach (var verb in Verbs)
            {
                var asked = new V1ResourceAttributes { Group = kind.Group, Resource = kind.PluralName, Verb = verb, Name = item.Metadata.Name, NamespaceProperty = item.Metadata.NamespaceProperty };
                var review = await api.AskAsync("ask what you may do", k => k.AuthorizationV1.CreateSelfSubjectAccessReviewAsync(
                    new V1SelfSubjectAccessReview { Spec = new V1SelfSubjectAccessReviewSpec { ResourceAttributes = asked } }, cancellationToken: cancellationToken), cancellationToken);
                if (!review.Status.Allowed)
                {
                    missing.Add($"{verb} {kind.PluralName}{(kind.Group.Length > 0 ? "." + kind.Group : "")}{(asked.NamespaceProperty is { } space ? $" in {space}" : "")}");
                }
            }
        }

        if (missing.Count > 0)
        {
            throw new CommandException(ExitCode.NotAllowed, $"the user of {api.Kubeconfig} may not, in the cluster at {api.Address}:{string.Concat(missing.Distinct().Select(m => $"\n  {m}"))}", "use a kubeconfig of an administrator of that cluster");
        }
    }

    public static bool IsOurs(V1ObjectMeta metadata) =>
        metadata.Labels is { } labels && labels.TryGetValue(InstallationNames.PartOfLabel, out var part) && part == InstallationNames.PartOf;

    /// <summary>Of v1.20.2-gke.100 or v1.31.0+k3s1; null of what is no version.</summary>
    static Version? VersionOf(string text) =>
        text.TrimStart('v').Split('.', '-', '+') is [var major, var minor, ..] && int.TryParse(major, out var first) && int.TryParse(minor, out var second) ? new Version(first, second) : null;
}
