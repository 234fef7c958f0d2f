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

    /// <summary>Of the product's version.</summary>
    public static readonly string AgentReference = $"docker.io/meshfabric/agent:{typeof(KubeImages).Assembly.GetName().Version!.ToString(3)}";

    /// <summary>Archives of the first two.</summary>
    /// <exception cref="LabException">They were not made yet.</exception>
    public static IReadOnlyList<string> Own => [Archive("pause"), Archive("echo")];

    /// <summary>Archive of the agent's image, <c>meshfabric/agent:VERSION</c>.</summary>
    /// <param name="programs">Directory of the product's programs; the image is made beside them.</param>
    /// <exception cref="LabException">It was not made yet.</exception>
    public static string Agent(string programs) => Existing(Path.Combine(programs, "images", "agent.tar"));

    static string Archive(string name) => Existing(Path.Combine(KubePrograms.Cache, "images", name + ".tar"));

    static string Existing(string file) => File.Exists(file) ? file : throw new LabException($"{file} is missing: run 'make images'");
}
