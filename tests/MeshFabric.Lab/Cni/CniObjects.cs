using k8s.Models;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Lab.Cni;

/// <summary>What a plug-in shows in the API of its cluster. Only what tells it from others and what its addresses come from.</summary>
sealed record CniObjects
{
    public IReadOnlyList<V1DaemonSet> DaemonSets { get; init; } = [];

    public IReadOnlyList<V1ConfigMap> ConfigMaps { get; init; } = [];

    public IReadOnlyList<CustomObject> CustomObjects { get; init; } = [];

    /// <summary>Annotations that the plug-in writes on a Node.</summary>
    public Func<CniNode, Dictionary<string, string>> Annotations { get; init; } = _ => [];

    /// <summary>A DaemonSet whose containers differ in name only.</summary>
    public static V1DaemonSet DaemonSet(string @namespace, string name, (string Key, string Value) label, params V1Container[] containers) => new()
    {
        Metadata = new V1ObjectMeta { Name = name, NamespaceProperty = @namespace, Labels = new Dictionary<string, string> { [label.Key] = label.Value } },
        Spec = new V1DaemonSetSpec
        {
            Selector = new V1LabelSelector { MatchLabels = new Dictionary<string, string> { [label.Key] = label.Value } },
            Template = new V1PodTemplateSpec
            {
                Metadata = new V1ObjectMeta { Labels = new Dictionary<string, string> { [label.Key] = label.Value } },
                Spec = new V1PodSpec { HostNetwork = true, Containers = containers },
            },
        },
    };

    public static V1Container Container(string name, string image, params (string Name, string Value)[] environment) =>
        new() { Name = name, Image = image, Env = [.. environment.Select(e => new V1EnvVar { Name = e.Name, Value = e.Value })] };

    public static V1ConfigMap ConfigMap(string @namespace, string name, params (string Key, string Value)[] data) => new()
    {
        Metadata = new V1ObjectMeta { Name = name, NamespaceProperty = @namespace },
        Data = data.ToDictionary(d => d.Key, d => d.Value),
    };
}

/// <summary>An object of a kind that the plug-in defines itself.</summary>
/// <param name="Spec">Serialised as it is.</param>
sealed record CustomObject(CustomKind Of, string Name, object Spec);
