using System.Net;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Tests.Agent.Reconciling;

public sealed class EndpointChoiceTests
{
    static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly UdpEndpoint First = UdpEndpoint.Parse("198.51.100.1:51820");
    static readonly UdpEndpoint Second = UdpEndpoint.Parse("198.51.100.2:51820");
    readonly EndpointChoice _choice = new();

    [Fact]
    public void The_initiator_dials_at_once_and_goes_through_its_candidates()
    {
        var peer = Peer(initiates: true, First, Second);
        Assert.Equal(First.ToIPEndPoint(), _choice.Choose(peer, null, isDown: false, Start));
        Assert.Equal(Second.ToIPEndPoint(), _choice.Choose(peer, null, isDown: false, Start + EndpointChoice.PerCandidate));
        Assert.Equal(First.ToIPEndPoint(), _choice.Choose(peer, null, isDown: false, Start + (2 * EndpointChoice.PerCandidate)));
    }

    [Fact]
    public void The_answering_side_waits_before_it_dials()
    {
        var peer = Peer(initiates: false, First);
        Assert.Null(_choice.Choose(peer, null, isDown: false, Start));
        Assert.Equal(First.ToIPEndPoint(), _choice.Choose(peer, null, isDown: false, Start + EndpointChoice.AnswererPatience));
    }

    [Fact]
    public void Nothing_is_dialled_where_there_is_no_candidate() =>
        Assert.Null(_choice.Choose(Peer(initiates: true), null, isDown: false, Start));

    [Fact]
    public void While_the_session_is_fresh_the_device_knows_best() =>
        Assert.Null(_choice.Choose(Peer(initiates: true, First), State(Start, "203.0.113.9:1234"), isDown: false, Start));

    [Fact]
    public void After_the_device_was_made_anew_the_learned_way_is_dialled_first_by_either_side()
    {
        var peer = Peer(initiates: false, First);
        _choice.Choose(peer, State(Start, "203.0.113.9:1234"), isDown: false, Start);
        Assert.Equal(IPEndPoint.Parse("203.0.113.9:1234"), _choice.Choose(peer, State(null, null), isDown: false, Start));
        Assert.Equal(First.ToIPEndPoint(), _choice.Choose(peer, State(null, null), isDown: false, Start + EndpointChoice.PerCandidate));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_fresh_session_that_carries_no_more_is_tried_by_the_other_candidates_and_kept_where_it_carries_again(bool initiates)
    {
        var peer = Peer(initiates, First, Second);
        var state = State(Start, $"{First}");
        Assert.Null(_choice.Choose(peer, state, isDown: false, Start));
        Assert.Null(_choice.Choose(peer, state, isDown: true, Start));
        Assert.Equal(Second.ToIPEndPoint(), _choice.Choose(peer, state, isDown: true, Start + EndpointChoice.PerCandidate));
        Assert.Equal(First.ToIPEndPoint(), _choice.Choose(peer, state, isDown: true, Start + (2 * EndpointChoice.PerCandidate)));
        Assert.Null(_choice.Choose(peer, state, isDown: false, Start + (2 * EndpointChoice.PerCandidate)));
    }

    [Fact]
    public void Where_a_peer_was_learned_from_its_packets_it_is_looked_for_again_after_its_configured_places()
    {
        var peer = Peer(initiates: true, First);
        var state = State(Start, "203.0.113.9:1234");
        _choice.Choose(peer, state, isDown: false, Start);
        _choice.Choose(peer, state, isDown: true, Start);
        Assert.Equal(First.ToIPEndPoint(), _choice.Choose(peer, state, isDown: true, Start + EndpointChoice.PerCandidate));
        Assert.Equal(IPEndPoint.Parse("203.0.113.9:1234"), _choice.Choose(peer, state, isDown: true, Start + (2 * EndpointChoice.PerCandidate)));
    }

    static TunnelPeer Peer(bool initiates, params UdpEndpoint[] endpoints) =>
        new("far", "gw1", PrivateKey.Generate().ToPublicKey(), endpoints.ToValueList(), initiates, 25, [], []);

    static PeerState State(DateTimeOffset? handshake, string? endpoint) =>
        new(PrivateKey.Generate().ToPublicKey(), null, endpoint is null ? null : IPEndPoint.Parse(endpoint), 0, handshake, 0, 0, []);
}
