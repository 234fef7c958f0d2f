namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>The checkout that these tests were built from.</summary>
static class Checkout
{
    public static string Root { get; } = Find();

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
