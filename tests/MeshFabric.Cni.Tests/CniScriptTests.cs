using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Topology;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests;

/// <summary>What each plug-in leaves on the second of three nodes, as people read it.</summary>
public sealed class CniScriptTests
{
    public static TheoryData<string> Plugins => [.. CniPlugins.Names];

    [Theory]
    [MemberData(nameof(Plugins))]
    public void The_state_of_a_node_is_as_written_down(string plugin)
    {
        var lab = new LabTopology(new LabSpec("g", [new ClusterSpec("a", "10.244.0.0/16") { Cni = plugin }]));
        var cluster = new CniCluster(lab, lab.Clusters[0]);
        var node = cluster.Nodes[1];
        var script = new NetworkScript(lab.Spec.Directory);
        script.Host(node.Host);
        node.Pods.ToList().ForEach(script.Host);
        CniClusterBuilder.Node(script, cluster, node);
        Golden.Check(script.ToString(), $"golden/{plugin}.sh");
    }

    [Fact]
    public void Every_pod_has_an_address_of_its_own_in_the_clusters_CIDR()
    {
        foreach (var plugin in CniPlugins.Names)
        {
            var lab = new LabTopology(new LabSpec("g", [new ClusterSpec("a", "10.244.0.0/16") { Cni = plugin, Nodes = 6, PodsPerWorker = 9 }]));
            Assert.Equal(54, lab.Pods.Select(p => p.Address).Distinct().Count());
            Assert.All(lab.Pods, p => Assert.True(Net.Cidr.Parse("10.244.0.0/16").Contains(p.Address!), $"{plugin}: {p.Name} has {p.Address}"));
        }
    }

    [Theory]
    [InlineData("calico-vxlan", null, 3, "10.244.0.0/20")]
    [InlineData("calico-vxlan", null, 7, "10.244.0.0/16")]
    [InlineData("canal", "fd10:10::/48", 3, "10.244.0.0/16")]
    [InlineData("none-such", null, 3, "10.244.0.0/16")]
    public void A_spec_that_cannot_be_built_is_refused(string plugin, string? six, int nodes, string pods)
    {
        var spec = new LabSpec("g", [new ClusterSpec("a", pods) { Cni = plugin, Nodes = nodes, PodCidr6 = six }]);
        Assert.Throws<ArgumentException>(spec.Check);
    }
}
