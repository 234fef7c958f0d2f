using MeshFabric.Lab.Processes;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Lab.Kubelets;

/// <summary>Container images that nodes have from the start, for there is no registry in a lab. Made by <c>deploy/images/build-image.sh</c>.</summary>
public static class KubeImages
{
    /// <summary>Holds a pod's namespaces.</summary>
    public const string Pause = "docker.io/meshfabric/pause:1";

    /// <summary>Servers that tell which source address they saw (<see cref="Traffic.PodServers"/>), a shell and busybox's tools.</summary>
    public const string Echo = "docker.io/meshfabric/echo:1";

    /// <summary>Archives of the two above.</summary>
    /// <exception cref="LabException">They were not made yet.</exception>
    public static IReadOnlyList<string> Own => [Archive("pause"), Archive("echo")];

    /// <exception cref="LabException">It was not made yet; the message says how.</exception>
    public static string Archive(string name)
    {
        var file = Path.Combine(KubePrograms.Cache, "images", name + ".tar");
        return File.Exists(file) ? file : throw new LabException($"{file} is missing: run 'make images'");
    }
}
