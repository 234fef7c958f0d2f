using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Tests.Agent.Tunnels;

public sealed class WatchedTunnelTests
{
    static readonly DateTimeOffset Start = new(2027, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly PublicKey Key = PrivateKey.Generate().ToPublicKey();

    readonly WatchedTunnel _tunnel = new(Start)
    {
        Device = new TunnelDevice("mf0", 0, 51820, [], []),
        Peer = new TunnelPeer("aurora", "gw1", Key, [], true, 25, [], []),
    };

    [Fact]
    public void A_tunnel_is_quick_as_soon_as_traffic_is_seen_and_stays_so_until_a_whole_second_had_none()
    {
        Read(0, 0);
        Assert.False(_tunnel.IsQuick);
        Read(0.3, 100_000);
        Assert.True(_tunnel.IsQuick);

        // Moments after the last reading little came: that says nothing.
        Read(0.32, 100_500);
        Read(0.9, 103_000);
        Assert.True(_tunnel.IsQuick);
        Read(1.4, 103_000);
        Assert.False(_tunnel.IsQuick);
    }

    [Fact]
    public void What_comes_in_small_parts_is_traffic_too_and_probes_are_none()
    {
        for (var i = 0; i < 10; i++)
        {
            Read(i / 10.0, (ulong)(1000 * i));
        }

        Assert.True(_tunnel.IsQuick);
        Read(3, 9000);
        _tunnel.Probes = 20;
        Read(3.5, 18_000);
        Assert.False(_tunnel.IsQuick);
    }

    [Fact]
    public void A_device_that_was_made_anew_counts_from_nothing()
    {
        Read(0.1, 1_000_000);
        Read(0.2, 100);
        Assert.False(_tunnel.IsQuick);
        Read(0.3, 50_000);
        Assert.True(_tunnel.IsQuick);
    }

    void Read(double seconds, ulong bytes) => _tunnel.Read(new PeerState(Key, null, null, 25, null, bytes, 0, []), Start + TimeSpan.FromSeconds(seconds));
}
