namespace MeshFabric.TestKit.Kubernetes;

/// <summary>Where <c>make kubernetes-binaries</c> has put Kubernetes.</summary>
public static class KubePrograms
{
    /// <summary>The cache of all that is built once.</summary>
    public static string Cache =>
        Environment.GetEnvironmentVariable("MESHFABRIC_CACHE") is { Length: > 0 } cache ? cache : System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "meshfabric");

    public static string Directory => System.IO.Path.Combine(Cache, "kubernetes", "bin");

    public static string Path(string name) => System.IO.Path.Combine(Directory, name);
}
