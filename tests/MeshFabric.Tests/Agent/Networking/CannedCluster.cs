using System.Text.Json;
using k8s;
using k8s.Models;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Domain.Clusters;
using MeshFabric.Tests.Repository;
using YamlDotNet.Serialization;

namespace MeshFabric.Tests.Agent.Networking;

/// <summary>A cluster's API in one YAML file: what a reader would have found there. Its first line may name what agents saw: <c># nodes: n1=flannel-vxlan</c>.</summary>
static class CannedCluster
{
    public static readonly string Folder = Path.Combine(Repo.Root, "tests", "MeshFabric.Tests", "Agent", "Networking", "cases");

    const string NodesLine = "# nodes:";

    public static KubernetesSnapshot Read(string name)
    {
        var objects = Documents(name).ToLookup(d => d.Json.GetProperty("kind").GetString());
        List<T> All<T>(string kind) => objects[kind].Select(d => KubernetesYaml.Deserialize<T>(d.Text)).ToList();
        var maps = ConfigMaps(name);
        IReadOnlyList<string> System(string map) => maps.FirstOrDefault(m => m.Metadata.Name == map && m.Metadata.NamespaceProperty == "kube-system")?.Data.Values.ToList() ?? [];
        var pods = All<V1Pod>("Pod");
        var settings = new ClusterSettings("v1.33.1", pods.Where(p => p.Metadata.NamespaceProperty == "kube-system").ToList())
        {
            KubeadmConfig = System("kubeadm-config"),
            ProxyConfig = System("kube-proxy"),
            ServiceCidrObjects = objects["ServiceCIDR"].SelectMany(d => d.Json.GetProperty("spec").GetProperty("cidrs").EnumerateArray().Select(c => c.GetString()!)).ToList(),
            Cni = new CniSettings
            {
                DaemonSets = All<V1DaemonSet>("DaemonSet"),
                ConfigMaps = maps.Where(m => m.Metadata.Name is not ("kubeadm-config" or "kube-proxy")).ToDictionary(m => m.Metadata.Name, m => (IReadOnlyDictionary<string, string>)m.Data.ToDictionary()),
                SomePods = pods,
                Calico = new CalicoObjects
                {
                    Pools = [.. objects["IPPool"].Select(d => d.Json)],
                    BlockAffinities = [.. objects["BlockAffinity"].Select(d => d.Json)],
                    Felix = objects["FelixConfiguration"].Select(d => (JsonElement?)d.Json).FirstOrDefault(),
                    Installation = objects["Installation"].Select(d => (JsonElement?)d.Json).FirstOrDefault(),
                },
            },
        };
        return new KubernetesSnapshot(All<V1Node>("Node"), settings);
    }

    public static async Task<IReadOnlyDictionary<string, NodeObservation>> ObserveAsync(string name)
    {
        var seen = new Dictionary<string, NodeObservation>();
        var first = File.ReadLines(PathOf(name)).First();
        string[] pairs = first.StartsWith(NodesLine, StringComparison.Ordinal) ? first[NodesLine.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
        foreach (var pair in pairs)
        {
            var parts = pair.Split('=');
            seen[parts[0]] = await new CannedNode(parts[1]).ObserveAsync();
        }

        return seen;
    }

    /// <summary>All of them, Kubernetes' own included.</summary>
    public static IReadOnlyList<V1ConfigMap> ConfigMaps(string name) =>
        Documents(name).Where(d => d.Json.GetProperty("kind").GetString() == "ConfigMap").Select(d => KubernetesYaml.Deserialize<V1ConfigMap>(d.Text)).ToList();

    static List<(string Text, JsonElement Json)> Documents(string name) =>
        File.ReadAllText(PathOf(name)).Split("\n---\n").Select(t => (Text: t, Json: Json(t))).Where(d => d.Json.ValueKind == JsonValueKind.Object).ToList();

    static string PathOf(string name) => Path.Combine(Folder, name + ".yaml");

    // YAML 1.2 scalars keep their kind only when they are read so: true is no text here.
    static JsonElement Json(string yaml)
    {
        var value = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object?>(yaml);
        return JsonSerializer.SerializeToElement(Plain(value));
    }

    static object? Plain(object? value) => value switch
    {
        IDictionary<object, object> map => map.ToDictionary(p => p.Key.ToString()!, p => Plain(p.Value)),
        IList<object> list => list.Select(Plain).ToList(),
        _ => value,
    };
}
