using MeshFabric.Lab;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>A cluster that has left is as it was before it joined.</summary>
static class LeaveChecks
{
    /// <summary>It takes the import's rules away when it is told that the Service is gone.</summary>
    static readonly TimeSpan KubeProxy = TimeSpan.FromSeconds(10);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task NoTraceAsync(Row row)
    {
        await row.Mesh.LeaveAsync(row.Cluster, row.Api, Cancellation);
        foreach (var import in row.IsDualStack ? new[] { Row.ImportName, Row.ImportName6 } : [Row.ImportName])
        {
            await row.Api.DeleteServiceAsync(import, Cancellation);
        }

        Assert.Empty(await PoolChecks.OfMeshAsync(row) ?? []);
        foreach (var node in row.Nodes)
        {
            IReadOnlyList<string> difference = [];
            await Until.TrueAsync(
                async () => (difference = HostState.Difference(row.Before[node.Name], await HostState.ReadAsync(row.Lab, node.Name, Cancellation))).Count == 0,
                KubeProxy, () => $"{node.ShortName} to be as it was before:\n{string.Join('\n', difference)}", Cancellation);
        }
    }
}
