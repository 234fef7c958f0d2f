using k8s.Models;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>Reads DaemonSets of others, wherever they stand and whatever their release is called.</summary>
static class DaemonSets
{
    static readonly string[] Labels = ["k8s-app", "app", "name", "app.kubernetes.io/name"];

    /// <summary>The first by namespace and name that is of this app; null when there is none.</summary>
    public static V1DaemonSet? OfApp(this CniSettings cni, string app) => cni.DaemonSets
        .Where(d => d.IsApp(app))
        .OrderBy(d => d.Metadata.NamespaceProperty, StringComparer.Ordinal).ThenBy(d => d.Metadata.Name, StringComparer.Ordinal)
        .FirstOrDefault();

    /// <summary>By the labels of the set or of its pods.</summary>
    public static bool IsApp(this V1DaemonSet set, string app) =>
        Has(set.Metadata?.Labels, app) || Has(set.Spec?.Template?.Metadata?.Labels, app);

    public static bool HasContainer(this V1DaemonSet set, string name) => Containers(set).Any(c => c.Name == name);

    /// <summary>Tag of the named container's image, or of the first one's; empty when it has none.</summary>
    public static string Version(this V1DaemonSet set, string container)
    {
        var image = (Containers(set).FirstOrDefault(c => c.Name == container) ?? Containers(set).FirstOrDefault())?.Image ?? "";
        var name = image.Split('@')[0];
        var colon = name.LastIndexOf(':');
        return colon > name.LastIndexOf('/') ? name[(colon + 1)..] : "";
    }

    /// <summary>Value of an environment variable that stands in the set itself; null when it does not.</summary>
    public static string? Environment(this V1DaemonSet set, string name) =>
        Containers(set).SelectMany(c => c.Env ?? []).FirstOrDefault(e => e.Name == name)?.Value;

    /// <summary>For people.</summary>
    public static string Describe(this V1DaemonSet set) => $"DaemonSet {set.Metadata.NamespaceProperty}/{set.Metadata.Name}";

    static IEnumerable<V1Container> Containers(V1DaemonSet set) => set.Spec?.Template?.Spec?.Containers ?? [];

    static bool Has(IDictionary<string, string>? labels, string app) =>
        labels is not null && Labels.Any(l => labels.TryGetValue(l, out var value) && value == app);
}
