using System.Net;
using k8s;
using k8s.Models;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Kubelets;

/// <summary>What tests do with pods.</summary>
public static class KubePods
{
    /// <summary>Runs a command in a container to its end, by the API server and kubelet, as <c>kubectl exec</c> does.</summary>
    public static async Task<CommandResult> ExecAsync(this KubeCluster cluster, V1Pod pod, string container, IReadOnlyList<string> words, CancellationToken cancellationToken)
    {
        var (output, error) = ("", "");
        var exitCode = await cluster.Client.NamespacedPodExecAsync(
            pod.Metadata.Name,
            pod.Metadata.NamespaceProperty,
            container,
            words,
            tty: false,
            async (_, stdout, stderr) =>
            {
                using var outputs = new StreamReader(stdout);
                using var errors = new StreamReader(stderr);
                var texts = await Task.WhenAll(outputs.ReadToEndAsync(cancellationToken), errors.ReadToEndAsync(cancellationToken));
                (output, error) = (texts[0], texts[1]);
            },
            cancellationToken);
        return new CommandResult(exitCode, output, error);
    }

    /// <summary>The pod as a host of the lab, for streams of pings and other traffic from this process (<see cref="Traffic.PingStream"/>, <see cref="Traffic.PodClient"/>).</summary>
    /// <exception cref="LabException">No process of the pod runs.</exception>
    public static LabHost HostOf(this KubeCluster cluster, V1Pod pod)
    {
        var node = cluster.Nodes.Single(n => n.Name == pod.Spec.NodeName);
        var pid = Processes(node, pod.Metadata.Uid).FirstOrDefault() ?? throw new LabException($"no process of the pod {pod.Metadata.Name} runs on {node.Name}");
        return new LabHost($"{cluster.Name}-{pod.Metadata.Name}", "", HostRole.Pod, cluster.Name) { Address = IPAddress.Parse(pod.Status.PodIP), NamespacePath = $"/proc/{pid}/ns/net" };
    }

    // Kubelet gives every pod a cgroup that is named after it. In the node its processes have other numbers than here.
    static IEnumerable<string> Processes(KubeNode node, string uid)
    {
        var list = Path.Combine(node.Directory, "cgroups");
        var pods = File.Exists(list) ? File.ReadLines(list).Select(group => Path.Combine(group, "kubepods")).FirstOrDefault(Directory.Exists) : null;
        return (pods is null ? [] : Directory.EnumerateDirectories(pods, "pod" + uid, SearchOption.AllDirectories))
            .SelectMany(group => Directory.EnumerateFiles(group, "cgroup.procs", SearchOption.AllDirectories))
            .SelectMany(File.ReadLines);
    }
}
