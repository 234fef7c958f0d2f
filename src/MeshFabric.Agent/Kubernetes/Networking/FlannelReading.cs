using System.Text.Json;
using k8s.Models;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>What Flannel's configuration and its annotations on nodes say. Pure.</summary>
static class FlannelReading
{
    // The prefix can be changed by a flag of flanneld; these two endings together are its own.
    const string BackendType = "/backend-type";
    const string Manager = "/kube-subnet-manager";

    /// <summary>Network and IPv6Network of net-conf.json.</summary>
    public static ValueList<Cidr> Networks(CniSettings cni) => Configurations(cni)
        .SelectMany(c => new[] { Text(c, "Network"), Text(c, "IPv6Network") })
        .SelectMany(ClusterCidrs.ParseList).Distinct().Order().ToValueList();

    /// <summary>What flanneld wrote on most nodes, else what its configuration asks for.</summary>
    public static string Encapsulation(CniSettings cni, IEnumerable<V1Node> nodes)
    {
        var written = nodes.Select(n => Annotation(n)).Where(t => t.Length > 0).GroupBy(t => t).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;
        return (written ?? Configurations(cni).Select(c => c.TryGetProperty("Backend", out var backend) ? Text(backend, "Type") : "").FirstOrDefault(t => t.Length > 0) ?? "").ToLowerInvariant();
    }

    /// <summary>True for a node that a flanneld manages by the Kubernetes API.</summary>
    public static bool IsAnnotated(V1Node node) => Annotation(node).Length > 0;

    static string Annotation(V1Node node) =>
        node.Metadata?.Annotations is { } all && all.FirstOrDefault(a => a.Key.EndsWith(BackendType, StringComparison.Ordinal)) is { Key: { } key } found && all.ContainsKey(key[..^BackendType.Length] + Manager)
            ? found.Value ?? "" : "";

    static IEnumerable<JsonElement> Configurations(CniSettings cni)
    {
        foreach (var name in new[] { "canal-config", "kube-flannel-cfg" })
        {
            if (cni.ConfigMaps.TryGetValue(name, out var map) && map.TryGetValue("net-conf.json", out var text) && Parse(text) is { ValueKind: JsonValueKind.Object } json)
            {
                yield return json;
            }
        }
    }

    static JsonElement? Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text).RootElement;
        }
        catch (JsonException)
        {
            // Edited by hand and damaged: flanneld could not read it either.
            return null;
        }
    }

    static string Text(JsonElement item, string name) => item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
