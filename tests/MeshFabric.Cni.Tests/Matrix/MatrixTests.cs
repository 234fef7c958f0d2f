namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Everything that is asked of the mesh, with every plug-in: one cell of the table in docs/compatibility.md each.</summary>
[Collection(WholeMachine.Name)]
[TestCaseOrderer(typeof(AsListed))]
public sealed class MatrixTests(MatrixMesh mesh) : IClassFixture<MatrixMesh>
{
    public static TheoryData<string, string> Cells =>
        [.. MatrixMesh.Rows.SelectMany(_ => Checks.All, (plugin, check) => (plugin, check.Name))];

    [Theory]
    [MemberData(nameof(Cells))]
    public Task The_mesh_holds_what_it_promises(string plugin, string check) => mesh.RunAsync(plugin, Checks.All.Single(c => c.Name == check));
}
