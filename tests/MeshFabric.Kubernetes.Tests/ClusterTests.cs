namespace MeshFabric.Kubernetes.Tests;

public sealed class ClusterTests(OneCluster one)
{
    [Fact]
    public void Two_nodes_are_ready_within_a_minute() => Assert.InRange(one.Start, TimeSpan.Zero, TimeSpan.FromMinutes(1));
}
