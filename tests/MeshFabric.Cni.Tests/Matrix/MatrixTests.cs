namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Everything that is asked of the mesh, with every plug-in: one cell of the table in docs/compatibility.md each.</summary>
[Collection(WholeMachine.Name)]
[TestCaseOrderer(typeof(AsListed))]
public sealed class MatrixTests(MatrixMesh mesh) : IClassFixture<MatrixMesh>
{
    public static TheoryData<string, string> Cells =>
        [.. MatrixMesh.Rows.SelectMany(_ => Checks.All.Where(c => Asked.Count == 0 || Asked.Contains(c.Name)), (plugin, check) => (plugin, check.Name))];

    /// <summary>All, or those that the environment variable CNI_CHECKS names, separated by semicolons.</summary>
    static IReadOnlyList<string> Asked { get; } = Environment.GetEnvironmentVariable("CNI_CHECKS") is { Length: > 0 } names ? names.Split(';') : [];

    [Theory]
    [MemberData(nameof(Cells))]
    public Task The_mesh_holds_what_it_promises(string plugin, string check) => mesh.RunAsync(plugin, Checks.All.Single(c => c.Name == check));
}
