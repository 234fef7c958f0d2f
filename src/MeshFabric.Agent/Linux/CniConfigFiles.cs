using System.Text.Json;
using System.Text.Json.Nodes;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>Reads CNI network configurations (CNI specification 1.0, section 1) as container runtimes find them.</summary>
static class CniConfigFiles
{
    const string HostLocalDirectory = "/var/lib/cni/networks";
    static readonly string[] Endings = [".conf", ".conflist", ".json"];

    // Where kubelets look; the first folder that has a configuration is the one in use.
    static readonly string[] Folders = ["etc/cni/net.d", "var/lib/rancher/k3s/agent/etc/cni/net.d", "var/snap/microk8s/current/args/cni-network"];

    /// <summary>Those that are sound, by file name; the others are told in <paramref name="unread"/>.</summary>
    public static ValueList<CniConfig> Read(string root, List<string> unread)
    {
        foreach (var folder in Folders.Select(f => Path.Combine(root, f)).Where(Directory.Exists))
        {
            var configs = Directory.GetFiles(folder)
                .Where(f => Endings.Contains(Path.GetExtension(f)))
                .OrderBy(Path.GetFileName, StringComparer.Ordinal)
                .Select(f => ReadFile(f, unread))
                .OfType<CniConfig>()
                .ToValueList();
            if (configs.Count > 0)
            {
                return configs;
            }
        }

        return [];
    }

    static CniConfig? ReadFile(string file, List<string> unread)
    {
        try
        {
            if (Parse(Path.GetFileName(file), File.ReadAllText(file)) is { } config)
            {
                return config;
            }

            unread.Add($"CNI configuration {Path.GetFileName(file)} names no plug-in; container runtimes pass it over");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            unread.Add($"CNI configuration {Path.GetFileName(file)} cannot be read: {e.Message}");
        }

        return null;
    }

    /// <summary>Null when it names no plug-in.</summary>
    /// <exception cref="JsonException">No JSON.</exception>
    public static CniConfig? Parse(string file, string text)
    {
        var root = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip }) as JsonObject;
        var plugins = root?["plugins"] is JsonArray list ? list.OfType<JsonObject>().ToList() : root is null ? [] : [root];
        var types = plugins.Select(p => Text(p["type"])).Where(t => t.Length > 0).ToValueList();
        if (types.Count == 0)
        {
            return null;
        }

        var first = plugins[0];
        var ipam = first["ipam"] as JsonObject;
        var subnets = Subnets(ipam).ToList();
        var type = Text(ipam?["type"]);
        return new CniConfig(
            file,
            Text(root!["name"]),
            types,
            type,
            subnets.SelectMany(ClusterCidrs.ParseList).Distinct().Order().ToValueList(),
            subnets.Exists(s => s.StartsWith("usePodCidr", StringComparison.Ordinal)),
            type != "host-local" ? "" : Text(ipam!["dataDir"]) is { Length: > 0 } directory ? directory : HostLocalDirectory,
            (first["mtu"] ?? (first["delegate"] as JsonObject)?["mtu"]) is JsonValue mtu && mtu.TryGetValue(out int bytes) ? bytes : 0);
    }

    // host-local: one subnet, or lists of ranges of which each list gives a pod one address.
    static IEnumerable<string> Subnets(JsonObject? ipam) =>
        ((ipam?["ranges"] as JsonArray)?.OfType<JsonArray>().SelectMany(r => r.OfType<JsonObject>()).Select(r => Text(r["subnet"])) ?? [])
            .Append(Text(ipam?["subnet"]))
            .Where(s => s.Length > 0);

    static string Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : "";
}
