namespace MeshFabric.Kubernetes.Tests;

/// <summary>The checkout that these tests run in.</summary>
static class Repository
{
    public static readonly string Root = Find();

    static string Find()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "MeshFabric.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("run from a checkout: MeshFabric.sln was not found");
    }
}
