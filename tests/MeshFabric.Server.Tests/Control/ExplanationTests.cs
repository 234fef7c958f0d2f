using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Server.Tests.Control;

public sealed class ExplanationTests
{
    static readonly Cidr Cluster = Cidr.Parse("10.10.0.0/16"), Pods = Cidr.Parse("10.10.1.0/24"), Nobodys = Cidr.Parse("10.99.0.0/16");

    static readonly GatewayConfig Wanted = GatewayConfig.None(1, "borealis", "gw1") with
    {
        Routes = [new MeshRoute(Cluster, null, [new NextHop("mf0", "aurora", "gw1")]), new MeshRoute(Pods, null, [new NextHop("mf8", "aurora", "node-1")]) { IsShortcut = true }],
    };

    [Fact]
    public void A_shortcut_may_be_missing_and_a_route_may_not_nor_may_there_be_others()
    {
        Assert.Empty(Differences(new ActualRoute(Cluster, ["mf0"])));
        Assert.Empty(Differences(new ActualRoute(Cluster, ["mf0"]), new ActualRoute(Pods, ["mf8"])));
        Assert.Equal(["The route to 10.10.0.0/16 is missing."], Differences(new ActualRoute(Pods, ["mf8"])));
        Assert.Equal(["The route to 10.99.0.0/16 should not be there."], Differences(new ActualRoute(Cluster, ["mf0"]), new ActualRoute(Nobodys, ["mf0"])));
        Assert.Equal(["The route to 10.10.1.0/24 goes by mf1, which cannot carry it."], Differences(new ActualRoute(Cluster, ["mf0"]), new ActualRoute(Pods, ["mf1"])));
    }

    static IReadOnlyList<string> Differences(params ActualRoute[] routes) => Explanation.Differences(Wanted, new GatewayActual([], routes.ToValueList(), true));
}
