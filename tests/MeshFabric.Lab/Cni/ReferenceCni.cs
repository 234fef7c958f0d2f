using System.Net;
using System.Text.Json;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>The CNI reference plug-ins of Debian (containernetworking-plugins), run as a container runtime runs them.</summary>
static class ReferenceCni
{
    const string Programs = "/usr/lib/cni";

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>host-local keeps the first address of a node's range for the gateway and hands out the others in order.</summary>
    public static IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => LabTopology.At(cluster.PodCidr(node), 1 + pod);

    /// <summary>The file that names a node's plug-ins; the first by name in /etc/cni/net.d is the one in force.</summary>
    public static void Conflist(NetworkScript script, LabHost node, string file, string network, params object[] plugins) =>
        script.File(node, $"/etc/cni/net.d/{file}", JsonSerializer.Serialize(new { name = network, cniVersion = "0.3.1", plugins }, Indented));

    /// <summary>Adds the node's pods by the real plug-in.</summary>
    /// <param name="settings">Of the plug-in, without name and version.</param>
    public static void AddPods(NetworkScript script, CniNode node, string network, Dictionary<string, object> settings)
    {
        script.Directory(node.Host, "/var/lib/cni/networks");
        var text = JsonSerializer.Serialize(new Dictionary<string, object>(settings) { ["name"] = network, ["cniVersion"] = "0.3.1" });
        foreach (var pod in node.Pods)
        {
            script.Shell(node.Host, Command("ADD", pod, (string)settings["type"]) + $" >/dev/null <<'CNI'\n{text}\nCNI");
        }
    }

    public static string Command(string verb, LabHost pod, string type) =>
        $"CNI_COMMAND={verb} CNI_CONTAINERID={pod.Name} CNI_NETNS={pod.NamespacePath} CNI_IFNAME=eth0 CNI_PATH={Programs} {Programs}/{type}";

    /// <summary>host-local's settings for one node's range.</summary>
    public static Dictionary<string, object> HostLocal(CniNode node, params string[] routes) => new()
    {
        ["type"] = "host-local",
        ["ranges"] = new[] { new[] { new { subnet = node.PodCidr.ToString() } } },
        ["routes"] = routes.Select(r => new { dst = r }).ToArray(),
    };
}
