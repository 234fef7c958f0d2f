using System.Net;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.State;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Agent.Nodes;

public sealed class OverlayFileTests : IDisposable
{
    readonly TemporaryDirectory _folder = new();

    [Fact]
    public void What_was_written_is_read_again_addresses_of_both_families_too()
    {
        var state = new AgentStateDirectory(_folder.File("state"));
        state.Create();
        var facts = new OverlayFacts(
            [new OverlayGateway("gw1", "n1", 7710, 1420, [Cidr.Parse("10.1.0.0/16")], [Cidr.Parse("10.2.0.0/16"), Cidr.Parse("fd10:2::/48")], [Cidr.Parse("198.19.0.1/32")])],
            [new OverlayNode("n1", IPAddress.Parse("192.0.2.2"), [Cidr.Parse("10.1.1.0/24")], [IPAddress.Parse("10.1.1.1"), IPAddress.Parse("fd10:1::1")], [7712])]);
        new OverlayFile(state).Write(facts);
        Assert.Equal(facts, new OverlayFile(state).Read());
    }

    public void Dispose() => _folder.Dispose();
}
