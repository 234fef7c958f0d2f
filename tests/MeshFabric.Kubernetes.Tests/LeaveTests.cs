using MeshFabric.Lab.Control;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Processes;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>A cluster that has left is as it was before it joined: its API, and each of its nodes.</summary>
public sealed class LeaveTests(LeaveTests.Clusters joined) : IClassFixture<LeaveTests.Clusters>
{
    /// <summary>A lab of its own, for no node of it was ever switched off.</summary>
    public sealed class Clusters : JoinedClusters
    {
        protected override string LabName => "leave";
    }

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cluster_that_leaves_keeps_nothing_of_the_mesh()
    {
        var told = (await LeaveAsync(joined.Aurora)).Checked("leaving");

        Assert.Contains("2 of 2 nodes clean", told.Output + told.Error, StringComparison.Ordinal);
        await AsBeforeAsync(joined.Aurora);
        Assert.DoesNotContain("aurora", await joined.Mesh.MfctlAsync(Cancellation, "cluster", "list"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cluster_leaves_as_well_while_the_control_service_its_database_and_its_broker_are_dead()
    {
        await joined.Mesh.Control.Kill9Async(Cancellation);
        try
        {
            var told = (await LeaveAsync(joined.Borealis)).Checked("leaving");

            Assert.Contains("mfctl cluster remove borealis", told.Output + told.Error, StringComparison.Ordinal);
            await AsBeforeAsync(joined.Borealis);
        }
        finally
        {
            await joined.Mesh.Control.StartAsync(CancellationToken.None);
        }

        await joined.Mesh.MfctlAsync(Cancellation, "cluster", "remove", "borealis", "--yes");
    }

    Task<CommandResult> LeaveAsync(KubeCluster cluster) =>
        joined.Mesh.TryMfctlAsync(Cancellation, "cluster", "leave", cluster.Name, "--kubeconfig", cluster.Kubeconfig, "--yes");

    async Task AsBeforeAsync(KubeCluster cluster)
    {
        IReadOnlyList<string> difference = [];
        // Its controllers and kubelets delete what belonged to what was deleted.
        await Until.TrueAsync(
            async () => (difference = joined.Before[cluster.Name].Difference(await ClusterState.ReadAsync(joined.Mesh.Lab, cluster, Cancellation))).Count == 0,
            OneCluster.Limit, () => $"{cluster.Name} to be as it was before:\n{string.Join('\n', difference)}", Cancellation);
    }
}
