using System.Net;
using MeshFabric.Agent.Nodes;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Tests.Agent.Nodes;

public sealed class BeaconTests
{
    [Fact]
    public void Beacons_are_addresses_of_two_nodes_that_are_no_gateways()
    {
        var facts = new OverlayFacts(
            [new OverlayGateway("gw1", "n2", 7710, 1420, [], [], []), new OverlayGateway("gw2", "gone", 7710, 1420, [], [], [])],
            [Node("n1", "fd10::1", "10.1.1.1"), Node("n2", "10.1.2.1"), Node("n3"), Node("n4", "10.1.4.1"), Node("n5", "10.1.5.1")]);
        Assert.Equal("[10.1.1.1/32, 10.1.4.1/32]", OverlayReading.Beacons(facts).ToString());
        Assert.Empty(OverlayReading.Beacons(facts with { Nodes = [Node("n2", "10.1.2.1"), Node("n3")] }));
    }

    static OverlayNode Node(string name, params string[] sources) => new(name, IPAddress.Loopback, [], [.. sources.Select(IPAddress.Parse)], []);
}
