using MeshFabric.Agent.Reconciling;
using MeshFabric.Net;

namespace MeshFabric.Tests.Agent.Reconciling;

/// <summary>Which device has which of the own keys while it changes.</summary>
public sealed class PlaneKeysTests
{
    static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;
    static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(100);
    static readonly PublicKey Former = PrivateKey.Generate().ToPublicKey(), Next = PrivateKey.Generate().ToPublicKey(), Foreign = PrivateKey.Generate().ToPublicKey();

    readonly PlaneKeys _keys = new();

    // What the devices have, and when what was answered last was sent through each; null: not connected.
    readonly SortedDictionary<string, PublicKey?> _has = new() { ["mf0"] = Former, ["mf1"] = Former };
    readonly Dictionary<string, DateTimeOffset?> _answered = new() { ["mf0"] = Start, ["mf1"] = Start };

    DateTimeOffset _now = Start;
    bool _isSettling;

    [Fact]
    public void One_device_after_the_other_rests_gets_the_next_key_and_carries_again_once_the_far_side_answers()
    {
        Ask(Next);
        Assert.Equal((null, "", null), Seen);
        Until(() => _keys.Resting == "mf0");
        // All hear of it at once.
        Assert.True(_now - Start >= PlaneKeys.OthersTurn);
        var rests = _now;
        Until(() => _keys.Of("mf0") == Next);
        Assert.True(_now - rests >= PlaneKeys.Emptying);
        Assert.Equal(("mf0", "mf0", null), Seen);

        // It is not on the device yet; and what was sent before that was sent with the former key.
        _answered["mf0"] = _now;
        Step();
        _has["mf0"] = Next;
        Step();
        _answered["mf0"] = _now;
        Step();
        Assert.Equal("mf0", _keys.Resting);
        _answered["mf0"] = _now;
        Step();
        Assert.Equal(("mf1", "mf0", null), Seen);

        Until(() => _keys.Of("mf1") == Next);
        _has["mf1"] = Next;
        Step();
        _answered["mf1"] = _now + Turn;
        Assert.True(_keys.IsChanging);
        Step();
        Assert.Equal((null, "mf0 mf1", Next), Seen);
        Assert.False(_keys.IsChanging);

        // The facts name it.
        _keys.Update(Next, null, Planes, false, _now);
        Assert.Equal((null, "", null), Seen);
        Assert.False(_keys.IsChanging);
    }

    [Fact]
    public void Nobody_is_waited_for_who_had_no_tunnel_and_nobody_without_a_limit()
    {
        _answered["mf0"] = null;
        Ask(Next);
        Until(() => _keys.Of("mf0") == Next);
        _has["mf0"] = Next;
        Step();
        Assert.Equal("mf1", _keys.Resting);
        Until(() => _keys.Of("mf1") == Next);
        var given = _now;
        // It breaks meanwhile, and cannot even be given its key.
        _answered["mf1"] = null;
        Until(() => !_keys.IsChanging);
        Assert.InRange(_now - given, PlaneKeys.Patience, PlaneKeys.Patience + Turn);
        Assert.Equal((null, "mf0 mf1", Next), Seen);
    }

    [Fact]
    public void Another_agent_goes_on_where_this_one_ended()
    {
        _has["mf0"] = Next;
        _answered["mf0"] = null;
        _isSettling = true;
        Ask(Next);
        // Nobody may have answered by it yet.
        Assert.Equal(("mf0", "mf0", null), Seen);
        Step();
        Assert.Equal("mf0", _keys.Resting);
        _answered["mf0"] = _now;
        // What is to carry next may not be known to be alive yet.
        for (var i = 0; i < 10; i++)
        {
            Step();
            Assert.Null(_keys.Resting);
        }

        _isSettling = false;
        Step();
        Assert.Equal("mf1", _keys.Resting);
        _isSettling = true;
        Until(() => _keys.Of("mf1") == Next);
        Assert.Null(_keys.Used);
    }

    [Fact]
    public void What_never_settles_does_not_hold_it_up()
    {
        _isSettling = true;
        Ask(Next);
        Until(() => _keys.Resting == "mf0");
        Assert.InRange(_now - Start, PlaneKeys.Patience, PlaneKeys.Patience + Turn);
    }

    [Fact]
    public void An_agent_that_had_changed_all_of_them_says_so_at_once()
    {
        (_has["mf0"], _has["mf1"]) = (Next, Next);
        Ask(Next);
        Assert.Equal((null, "mf0 mf1", Next), Seen);
    }

    [Fact]
    public void A_device_without_a_session_to_lose_has_the_next_key_at_once()
    {
        _has["mf0"] = null;
        _has["mf1"] = Foreign;
        Ask(Next);
        Assert.Equal((null, "mf0 mf1", Next), Seen);
    }

    [Fact]
    public void A_device_that_comes_or_goes_meanwhile_is_no_reason_to_wait()
    {
        Ask(Next);
        Until(() => _keys.Resting == "mf0");
        _has.Remove("mf0");
        Step();
        Assert.Equal("mf1", _keys.Resting);
        (_has["mf2"], _answered["mf2"]) = (null, null);
        Step();
        Assert.Equal(Next, _keys.Of("mf2"));
    }

    [Fact]
    public void A_change_that_is_called_off_gives_the_key_in_force_back_to_all()
    {
        Ask(Next);
        Until(() => _keys.Of("mf0") == Next);
        _keys.Update(Former, null, Planes, false, _now);
        Assert.Equal((null, "", null), Seen);
        // And another one begins anew.
        Ask(Foreign);
        Assert.Equal((null, "", null), Seen);
        Assert.True(_keys.IsChanging);
    }

    (string? Resting, string Given, PublicKey? Used) Seen => (_keys.Resting, string.Join(" ", _has.Keys.Where(d => _keys.Of(d) is not null)), _keys.Used);

    List<KeyedPlane> Planes => _has.Select(d => new KeyedPlane(d.Key, d.Value, [new KeyedTunnel("borealis", d.Key, _answered[d.Key] is not null, _answered[d.Key])])).ToList();

    void Ask(PublicKey? next) => _keys.Update(Former, next, Planes, _isSettling, _now);

    void Step()
    {
        _now += Turn;
        Ask(Next);
    }

    void Until(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            Assert.True(i < 1000, "it never came to that");
            Step();
        }
    }
}
