using MeshFabric.Agent.Tunnels;

namespace MeshFabric.Tests.Agent.Tunnels;

public sealed class KeyChoiceTests
{
    readonly KeyChoice _choice = new();
    DateTimeOffset _now = DateTimeOffset.UnixEpoch.AddDays(1);
    DateTimeOffset? _handshake;

    [Fact]
    public void The_facts_say_which_one_and_a_session_goes_on_with_it()
    {
        Assert.Equal(1, Choose(1, 1));
        Handshake();
        Assert.Equal(1, Choose(1, 1, 2));
        Assert.Equal(2, Choose(2, 1, 2));
        Pass(60);
        Handshake();
        Pass(60);
        Assert.Equal(2, Choose(2, 1, 2));
    }

    [Fact]
    public void While_it_is_not_held_the_device_keeps_what_it_has()
    {
        Choose(1, 1);
        Handshake();
        Assert.Null(Choose(2, 1));
        Pass(30);
        Handshake();
        Assert.Null(Choose(2, 1));
        Assert.Equal(2, Choose(2, 1, 2));
        Assert.Null(Choose(5));
    }

    [Fact]
    public void Where_the_far_side_knows_older_facts_both_come_together_before_the_session_ends_and_stay_so()
    {
        // The far side has 1 and does not hear the control service; here the facts say 2.
        Choose(1, 1, 2);
        Handshake();
        Pass(60);
        Choose(2, 1, 2);
        for (var second = 0; second < 180 - 60 && _choice.Epoch != 1; second++)
        {
            Pass(1);
            Choose(2, 1, 2);
        }

        Assert.True(_now - _handshake < TimeSpan.FromSeconds(170), $"{_now - _handshake}");
        // That is the one that the far side has: a handshake, and the next one when it is due.
        for (var i = 0; i < 3; i++)
        {
            Handshake();
            Pass(125);
            Assert.Equal(1, Choose(2, 1, 2));
        }

        // It has heard: the facts say another one again.
        Assert.Equal(3, Choose(3, 1, 2, 3));
    }

    [Fact]
    public void Two_that_are_lost_to_each_other_try_the_same_ones_at_the_same_time()
    {
        var (one, other) = (new KeyChoice(), new KeyChoice());
        var together = 0;
        for (var second = 0; second < 300; second++)
        {
            Pass(1);
            var (a, b) = (one.Choose(3, [1, 2, 3], null, _now), other.Choose(3, [1, 2, 3], null, _now));
            together += a == b ? 1 : 0;
        }

        Assert.Equal(300, together);
    }

    [Fact]
    public void A_tunnel_that_never_had_a_handshake_begins_with_what_the_facts_say_and_tries_nothing_that_is_newer()
    {
        Assert.Equal(2, Choose(2, 1, 2, 3));
        var tried = new HashSet<int?>();
        for (var second = 0; second < 120; second++)
        {
            Pass(1);
            tried.Add(Choose(2, 1, 2, 3));
        }

        Assert.Equal([1, 2], tried.Order());
    }

    int? Choose(int wanted, params int[] held) => _choice.Choose(wanted, held, _handshake, _now);

    void Handshake() => _handshake = _now;

    void Pass(int seconds) => _now += TimeSpan.FromSeconds(seconds);
}
