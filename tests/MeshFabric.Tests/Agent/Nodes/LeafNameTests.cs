using MeshFabric.Agent.Nodes;

namespace MeshFabric.Tests.Agent.Nodes;

public sealed class LeafNameTests
{
    [Theory]
    [InlineData("worker-1", "node-worker-1")]
    [InlineData("gw1", "node-gw1")]
    [InlineData("ip-10-0-0-1.eu-west-1.compute.internal", "node-ip-10-0-0-1-eu-west-1-compute-internal-")]
    public void A_leaf_is_named_as_its_node(string node, string begins) => Assert.StartsWith(begins, LeafName.Of(node), StringComparison.Ordinal);

    [Fact]
    public void Names_are_labels_and_nodes_that_differ_have_different_ones()
    {
        string[] nodes = ["a.b", "a-b", new('n', 60), $"{new string('n', 60)}1", $"{new string('n', 53)}.x", $"{new string('n', 53)}.y", "a"];
        var names = nodes.Select(LeafName.Of).ToList();
        Assert.Distinct(names);
        Assert.All(names, n => Assert.Matches("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", n));
    }
}
