using MeshFabric.Lab.Processes;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>The version before this one, built by <c>make previous</c>.</summary>
static class PreviousVersion
{
    /// <summary>As tests/previous-version names it.</summary>
    public static string Commit => File.ReadLines(Path.Combine(JoinedMesh.Root(), "tests", "previous-version")).Single(l => !l.StartsWith('#'));

    /// <summary>Directory with its programs.</summary>
    /// <exception cref="LabException">It was not built.</exception>
    public static string Programs
    {
        get
        {
            var programs = Path.Combine(KubePrograms.Cache, "previous", Commit);
            return Directory.Exists(programs) ? programs : throw new LabException($"{programs} is missing: run 'make previous'");
        }
    }
}
