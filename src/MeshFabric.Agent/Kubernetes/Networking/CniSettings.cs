using System.Text.Json;
using k8s.Models;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>What the API shows of the CNI plug-in, untouched.</summary>
public sealed record CniSettings
{
    public static readonly CniSettings Empty = new();

    /// <summary>Of all namespaces: where a plug-in's stands differs with its version and who installed it.</summary>
    public IReadOnlyList<V1DaemonSet> DaemonSets { get; init; } = [];

    /// <summary>The plug-in's own, by name.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> ConfigMaps { get; init; } = new Dictionary<string, IReadOnlyDictionary<string, string>>();

    /// <summary>Some pods of all namespaces, to hold the pod CIDRs against.</summary>
    public IReadOnlyList<V1Pod> SomePods { get; init; } = [];

    public CalicoObjects Calico { get; init; } = new();
}

/// <summary>Calico's own objects (group crd.projectcalico.org, and its operator's).</summary>
public sealed record CalicoObjects
{
    public IReadOnlyList<JsonElement> Pools { get; init; } = [];

    public IReadOnlyList<JsonElement> BlockAffinities { get; init; } = [];

    /// <summary>FelixConfiguration "default".</summary>
    public JsonElement? Felix { get; init; }

    /// <summary>The operator's Installation "default".</summary>
    public JsonElement? Installation { get; init; }
}
