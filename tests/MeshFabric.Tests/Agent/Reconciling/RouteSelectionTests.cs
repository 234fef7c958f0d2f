using MeshFabric.Agent.Reconciling;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Tests.Agent.Reconciling;

public sealed class RouteSelectionTests
{
    static readonly ValueList<MeshRoute> Routes =
    [
        new(Cidr.Parse("10.20.0.0/16"), null, [new NextHop("mf0", "borealis", "gw1"), new NextHop("mf1", "borealis", "gw2")]),
        new(Cidr.Parse("10.30.0.0/16"), null, [new NextHop("mf0", "cirrus", "gw1")]),
    ];

    [Theory]
    [InlineData(Detour.Never, "10.20.0.0/16 mf1; 10.30.0.0/16 mf0")]
    [InlineData(Detour.WhereDead, "10.20.0.0/16 mf1")]
    [InlineData(Detour.Always, "")]
    public void Dead_planes_are_left_and_what_is_wholly_dead_goes_by_another_gateway_if_there_is_one(Detour detour, string expected) =>
        Assert.Equal(expected, string.Join("; ", RouteSelection.Select(Routes, h => h.Gateway == "gw2", detour).Select(r => $"{r.Destination} {string.Join(",", r.Devices)}")));

    [Fact]
    public void While_all_are_alive_all_carry() =>
        Assert.Equal(["mf0", "mf1"], RouteSelection.Select(Routes, _ => true, Detour.WhereDead)[0].Devices);
}
