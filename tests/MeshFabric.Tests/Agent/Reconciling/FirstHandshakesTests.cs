using MeshFabric.Agent.Reconciling;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Tests.Agent.Reconciling;

public sealed class FirstHandshakesTests
{
    static readonly PublicKey Peer = PrivateKey.Generate().ToPublicKey();
    static readonly Dictionary<PublicKey, PeerState> Nobody = [], Waiting = Having(null), Connected = Having(DateTimeOffset.UnixEpoch);

    readonly FirstHandshakes _firsts = new();
    DateTimeOffset _now = DateTimeOffset.UnixEpoch;

    [Fact]
    public void The_first_is_repeated_half_a_second_after_the_peer_was_added_and_then_every_second()
    {
        Assert.False(IsRepeated(Nobody, TimeSpan.Zero));
        Assert.False(IsRepeated(Waiting, FirstHandshakes.Soon - TimeSpan.FromMilliseconds(1)));
        Assert.True(IsRepeated(Waiting, TimeSpan.FromMilliseconds(1)));
        Assert.False(IsRepeated(Waiting, FirstHandshakes.Soon));
        Assert.True(IsRepeated(Waiting, FirstHandshakes.Later - FirstHandshakes.Soon));
    }

    [Fact]
    public void Counted_is_from_when_the_peer_was_added_and_not_from_when_it_was_wanted()
    {
        Assert.False(IsRepeated(Nobody, TimeSpan.Zero));
        Assert.False(IsRepeated(Nobody, TimeSpan.FromMinutes(1)));
        Assert.False(IsRepeated(Waiting, TimeSpan.FromMilliseconds(250)));
    }

    [Fact]
    public void A_peer_that_shook_hands_is_left_alone() => Assert.False(IsRepeated(Nobody, TimeSpan.Zero) || IsRepeated(Connected, TimeSpan.FromMinutes(1)));

    [Fact]
    public void After_twenty_it_is_left_to_WireGuard_until_the_device_is_made_anew()
    {
        IsRepeated(Nobody, TimeSpan.Zero);
        Assert.Equal(FirstHandshakes.Most, Enumerable.Range(0, 100).Count(_ => IsRepeated(Waiting, FirstHandshakes.Later)));
        Assert.False(IsRepeated(Nobody, TimeSpan.Zero));
        Assert.False(IsRepeated(Waiting, TimeSpan.FromMilliseconds(250)));
        Assert.True(IsRepeated(Waiting, TimeSpan.FromMilliseconds(250)));
    }

    bool IsRepeated(Dictionary<PublicKey, PeerState> before, TimeSpan after) => _firsts.Repeat("mf0", [Peer], before, _now += after).Contains(Peer);

    static Dictionary<PublicKey, PeerState> Having(DateTimeOffset? handshake) => new() { [Peer] = new PeerState(Peer, null, null, 25, handshake, 0, 0, []) };
}
