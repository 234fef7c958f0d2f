using MeshFabric.Agent.Probing;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Domain.Tunnels;

namespace MeshFabric.Tests.Agent.Tunnels;

public sealed class TunnelLivenessTests
{
    static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    readonly TunnelLiveness _tunnel = new();

    [Fact]
    public void A_handshake_alone_does_not_connect()
    {
        Assert.False(_tunnel.Update(Now, Now));
        Assert.Equal(TunnelState.Connecting, _tunnel.State);
    }

    [Fact]
    public void A_handshake_and_an_answer_connect()
    {
        Connect();
        Assert.Equal(TunnelState.Connected, _tunnel.State);
    }

    [Fact]
    public void Two_lost_probes_are_borne_and_the_third_is_down()
    {
        Connect();
        Lose(PathLiveness.DeadAfter - 1);
        Assert.False(_tunnel.Update(Now, Now));
        Lose(1);
        Assert.True(_tunnel.Update(Now, Now));
        Assert.Equal(TunnelState.Down, _tunnel.State);
    }

    [Fact]
    public void An_old_handshake_is_down_even_while_the_last_probe_was_answered()
    {
        Connect();
        Assert.True(_tunnel.Update(Now, Now + TunnelLiveness.HandshakeLifetime));
        Assert.Equal(TunnelState.Down, _tunnel.State);
    }

    [Fact]
    public void One_answer_does_not_bring_it_back_and_the_third_does()
    {
        Connect();
        Lose(5);
        _tunnel.Update(Now, Now);
        for (var i = 1; i < PathLiveness.AliveAfter; i++)
        {
            _tunnel.Path.Answered(TimeSpan.FromMilliseconds(3));
            Assert.False(_tunnel.Update(Now, Now));
        }

        _tunnel.Path.Answered(TimeSpan.FromMilliseconds(3));
        Assert.True(_tunnel.Update(Now, Now));
        Assert.Equal(TunnelState.Connected, _tunnel.State);
    }

    [Fact]
    public void A_tunnel_that_never_answered_is_still_connecting()
    {
        Lose(10);
        _tunnel.Update(null, Now);
        Assert.Equal(TunnelState.Connecting, _tunnel.State);
    }

    void Lose(int probes)
    {
        for (var i = 0; i < probes; i++)
        {
            _tunnel.Path.Lost();
        }
    }

    void Connect()
    {
        _tunnel.Path.Answered(TimeSpan.FromMilliseconds(2));
        _tunnel.Update(Now, Now);
    }
}
