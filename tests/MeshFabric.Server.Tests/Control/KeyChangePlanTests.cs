using MeshFabric.Control.Meshing;

namespace MeshFabric.Server.Tests.Control;

/// <summary>In which order device keys change.</summary>
public sealed class KeyChangePlanTests
{
    static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;

    [Fact]
    public void A_key_changes_step_by_step_and_each_step_waits_for_what_it_needs()
    {
        var far = Gateway("f1", "far") with { Applied = 5 };
        var gateway = Gateway("a1", "near") with { Asked = Now, Applied = 5, Peers = Set("f1") };
        Assert.Equal(new KeyChangeStep.Begin("a1"), Only(gateway, far));
        gateway = gateway with { Began = Now, Revision = 5 };
        Assert.Equal(new KeyChangeStep.Ask("a1"), Only(gateway, far));
        gateway = gateway with { Offered = "next" };
        Assert.Equal(new KeyChangeStep.Stage("a1", "next"), Only(gateway, far));
        gateway = gateway with { Next = "next", Revision = 6 };
        Assert.Null(Only(gateway, far, KeyChangePlan.DrainTime));
        (gateway, far) = (gateway with { Applied = 6 }, far with { Applied = 6 });
        // Traffic is still on its way.
        Assert.Null(Only(gateway, far));
        Assert.Equal(new KeyChangeStep.Change("a1"), Only(gateway, far, KeyChangePlan.DrainTime));
        gateway = gateway with { Changes = true, Revision = 7 };
        Assert.Null(Only(gateway, far, TimeSpan.FromHours(1)));
        Assert.Equal(new KeyChangeStep.Settle("a1"), Only(gateway with { Used = "next" }, far));
        gateway = gateway with { PublicKey = "next", Used = "next", Next = null, Changes = false, Asked = null, Offered = null, Revision = 8 };
        Assert.Null(Only(gateway, far));
        (gateway, far) = (gateway with { Applied = 8 }, far with { Applied = 8 });
        Assert.Equal(new KeyChangeStep.End("a1"), Only(gateway, far));
    }

    [Fact]
    public void Who_is_not_heard_of_holds_a_change_up_only_where_it_has_a_tunnel()
    {
        var gateway = Gateway("a1", "near") with { Asked = Now, Began = Now, Next = "next", Offered = "next", Revision = 6, Applied = 6, Peers = Set("f1") };
        var silent = Gateway("f1", "far") with { Heard = false, Applied = 2 };
        Assert.Null(Only(gateway, silent, KeyChangePlan.DrainTime));
        Assert.IsType<KeyChangeStep.GiveUp>(Only(gateway, silent, KeyChangePlan.StageTime + TimeSpan.FromSeconds(1)));
        Assert.Equal(new KeyChangeStep.Change("a1"), Only(gateway with { Peers = Set() }, silent, KeyChangePlan.DrainTime));
        // And the gateway itself must hear.
        Assert.Null(Only(gateway with { Peers = Set(), Heard = false }, silent, KeyChangePlan.DrainTime));
    }

    [Fact]
    public void An_agent_that_makes_no_key_is_not_waited_for_and_one_that_lost_it_goes_on_with_the_former()
    {
        var gateway = Gateway("a1", "near") with { Asked = Now, Began = Now };
        Assert.IsType<KeyChangeStep.GiveUp>(Only(gateway, Gateway("f1", "far"), KeyChangePlan.OfferTime + TimeSpan.FromSeconds(1)));
        var told = gateway with { Next = "next", Changes = true, Revision = 7, Applied = 7, Offered = null };
        Assert.IsType<KeyChangeStep.GiveUp>(Only(told, Gateway("f1", "far")));
        // It may use it already and not be able to say so: there is no way back.
        Assert.Null(Only(told with { Offered = "next", Applied = 6 }, Gateway("f1", "far"), TimeSpan.FromDays(1)));
    }

    [Fact]
    public void A_key_that_another_gateway_has_is_not_taken()
    {
        var gateway = Gateway("a1", "near") with { Asked = Now, Began = Now, Offered = "taken" };
        Assert.IsType<KeyChangeStep.GiveUp>(Only(gateway, Gateway("f1", "far") with { PublicKey = "taken" }));
        Assert.IsType<KeyChangeStep.GiveUp>(Only(gateway, Gateway("f1", "far") with { Next = "taken" }));
    }

    [Fact]
    public void One_gateway_of_a_cluster_at_a_time_and_only_while_another_one_carries()
    {
        var (one, two) = (Gateway("a1", "near") with { Asked = Now, Peers = Set("f1") }, Gateway("a2", "near") with { Asked = Now, Peers = Set("f1") });
        Assert.Equal([new KeyChangeStep.Begin("a1")], KeyChangePlan.Next([one, two], Now));
        Assert.Empty(KeyChangePlan.Next([one, two with { Heard = false }], Now));
        Assert.DoesNotContain(KeyChangePlan.Next([one, two with { Peers = Set() }], Now), s => s.Gateway == "a1");
        Assert.DoesNotContain(KeyChangePlan.Next([one with { Began = Now }, two], Now), s => s is KeyChangeStep.Begin);
        // A single gateway has nobody to wait for.
        Assert.Equal([new KeyChangeStep.Begin("a1")], KeyChangePlan.Next([one], Now));
    }

    [Fact]
    public void Many_clusters_change_a_few_at_a_time()
    {
        var all = Enumerable.Range(0, 20).Select(i => Gateway($"g{i:00}", $"c{i:00}") with { Asked = Now.AddSeconds(-i) }).ToList();
        var steps = KeyChangePlan.Next(all, Now);
        Assert.Equal(KeyChangePlan.AtOnce, steps.Count);
        // Who asked first comes first.
        Assert.Contains(new KeyChangeStep.Begin("g19"), steps);
    }

    [Fact]
    public void The_two_gateways_of_a_tunnel_are_told_to_use_their_next_key_one_after_the_other()
    {
        var (one, other) = (Ready("a1", "near", "b1"), Ready("b1", "far", "a1"));
        var apart = Ready("x1", "apart");
        Assert.Equal([new KeyChangeStep.Change("a1"), new KeyChangeStep.Change("x1")], Next(one, other, apart));
        one = one with { Changes = true };
        Assert.DoesNotContain(new KeyChangeStep.Change("b1"), Next(one, other));
        // Only one of them may know of the tunnel.
        Assert.DoesNotContain(new KeyChangeStep.Change("b1"), Next(one with { Peers = Set() }, other));
        // It may be dead, or stand still.
        Assert.Contains(new KeyChangeStep.Change("b1"), Next(one with { Heard = false }, other));
        Assert.Contains(new KeyChangeStep.Change("b1"), KeyChangePlan.Next([one, other], Now + KeyChangePlan.StageTime + TimeSpan.FromSeconds(1)));
        Assert.Contains(new KeyChangeStep.Change("b1"), Next(one with { PublicKey = "next", Used = "next", Next = null, Changes = false }, other));

        static KeyChangeGateway Ready(string id, string cluster, params string[] peers) =>
            Gateway(id, cluster) with { Asked = Now, Began = Now, Next = $"next {id}", Offered = $"next {id}", Peers = Set(peers) };

        static IReadOnlyList<KeyChangeStep> Next(params KeyChangeGateway[] gateways) => KeyChangePlan.Next(gateways, Now + KeyChangePlan.DrainTime);
    }

    static KeyChangeStep? Only(KeyChangeGateway gateway, KeyChangeGateway other, TimeSpan later = default) => Assert.Single(new[] { KeyChangePlan.Next([gateway, other], Now + later).SingleOrDefault() });

    static HashSet<string> Set(params string[] ids) => ids.ToHashSet(StringComparer.Ordinal);

    static KeyChangeGateway Gateway(string id, string cluster) => new(id, cluster, null, null, 0, "first", null, false, "first", null, true, 0, Set());
}
