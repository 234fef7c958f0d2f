using System.Runtime.CompilerServices;

namespace MeshFabric.Tests.Repository;

/// <summary>The checkout that these tests were built from.</summary>
static class Repo
{
    public static readonly string Root = Find();

    public static string Text(string path) => File.ReadAllText(Path.Combine(Root, path));

    static string Find([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", ".."));
}
