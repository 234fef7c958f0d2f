using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Agent.Networking;

/// <summary>What an agent makes of its own node, for each CNI plug-in: <c>nodes/NAME/seen.json</c>.</summary>
public sealed class NodeObservationTests
{
    static readonly JsonSerializerOptions Indented = new(MeshJson.Options) { WriteIndented = true };

    public static TheoryData<string> Nodes => [.. Directory.GetDirectories(CannedNode.Folder).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Nodes))]
    public async Task A_node_is_seen_as_written_beside_it(string name)
    {
        var node = new CannedNode(name);
        var seen = await node.ObserveAsync();
        var addressing = NodeAddressing.Of(seen, node.PodCidrs, node.ClusterPodCidrs);
        Golden.Check(JsonSerializer.Serialize(new
        {
            plugin = NodeCni.PluginOf(seen),
            encapsulation = NodeCni.EncapsulationOf(seen),
            judgesForwarding = seen.JudgesForwarding,
            podPrefixes = addressing.PodPrefixes,
            prefixSource = addressing.PrefixSource,
            sources = addressing.Sources.Select(s => s.ToString()),
            observation = seen,
        }, Indented), $"nodes/{name}/seen.json");
    }

    [Theory]
    [MemberData(nameof(Nodes))]
    public async Task An_observation_survives_being_written_and_read(string name)
    {
        var seen = await new CannedNode(name).ObserveAsync();
        Assert.Equal(seen, JsonSerializer.Deserialize<NodeObservation>(JsonSerializer.Serialize(seen, MeshJson.Options), MeshJson.Options));
    }

    [Fact]
    public void An_older_agents_observation_without_newer_fields_is_read()
    {
        Assert.Equal(NodeObservation.Empty, JsonSerializer.Deserialize<NodeObservation>("{}", MeshJson.Lenient));
    }

    [Theory]
    [InlineData("calico-bgp")]
    [InlineData("ptp")]
    [InlineData("kindnet")]
    [InlineData("flannel-without-pods-yet")]
    public async Task A_node_without_an_address_among_its_pods_has_no_source(string name)
    {
        var node = new CannedNode(name);
        Assert.Empty(NodeAddressing.Of(await node.ObserveAsync(), node.PodCidrs, node.ClusterPodCidrs).Sources);
    }

    [Theory]
    [InlineData("weave")]
    [InlineData("calico-vxlan")]
    [InlineData("calico-after-flannel")]
    [InlineData("cilium-own-pool")]
    [InlineData("aws")]
    [InlineData("two-configurations")]
    public async Task A_pod_cidr_that_the_plug_in_does_not_use_is_not_the_nodes(string name)
    {
        var node = new CannedNode(name);
        var expected = name == "two-configurations" ? node.PodCidrs : [];
        Assert.Equal(expected, NodeAddressing.Of(await node.ObserveAsync(), node.PodCidrs, node.ClusterPodCidrs).PodPrefixes.Intersect(node.PodCidrs).ToValueList());
    }
}
