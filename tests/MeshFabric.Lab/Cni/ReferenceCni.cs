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

    /// <summary>As <see cref="PodAddress"/>; null where pods have no IPv6.</summary>
    public static IPAddress? PodAddress6(ClusterTopology cluster, int node, int pod) => cluster.PodCidr6(node) is { } cidr ? LabTopology.At(cidr, 1 + pod) : null;

    /// <summary>The file that names a node's plug-ins; the first by name in /etc/cni/net.d is the one in force.</summary>
    public static void Conflist(NetworkScript script, LabHost node, string file, string network, params object[] plugins) =>
        script.File(node, $"/etc/cni/net.d/{file}", JsonSerializer.Serialize(new { name = network, cniVersion = "0.3.1", plugins }, Indented));

    /// <summary>Adds the node's pods by the real plug-in.</summary>
    public static void AddPods(NetworkScript script, CniNode node, ReferencePods pods)
    {
        script.Directory(node.Host, "/var/lib/cni/networks");
        foreach (var pod in node.Pods)
        {
            script.Shell(node.Host, Command("ADD", pod, pods) + " >/dev/null");
        }
    }

    /// <summary>A shell command as a container runtime calls a plug-in (CNI specification 0.3.1).</summary>
    public static string Command(string verb, LabHost pod, ReferencePods pods)
    {
        var text = JsonSerializer.Serialize(new Dictionary<string, object>(pods.Settings) { ["name"] = pods.Network, ["cniVersion"] = "0.3.1" });
        return $"echo '{text}' | CNI_COMMAND={verb} CNI_CONTAINERID={pod.Name} CNI_NETNS={pod.NamespacePath} CNI_IFNAME=eth0 CNI_PATH={Programs} {Programs}/{pods.Settings["type"]}";
    }

    /// <summary>host-local's settings for one node's ranges.</summary>
    /// <param name="routes">Those of a family that the node has no range of are left out.</param>
    public static Dictionary<string, object> HostLocal(CniNode node, params string[] routes) => new()
    {
        ["type"] = "host-local",
        ["ranges"] = node.PodCidrs.Select(c => new[] { new { subnet = c.ToString() } }).ToArray(),
        ["routes"] = routes.Where(r => node.PodCidr6 is not null || !r.Contains(':', StringComparison.Ordinal)).Select(r => new { dst = r }).ToArray(),
    };
}

/// <summary>How a node's pods are made by a reference plug-in.</summary>
/// <param name="Settings">Of the plug-in, without name and version.</param>
sealed record ReferencePods(string Network, Dictionary<string, object> Settings);
