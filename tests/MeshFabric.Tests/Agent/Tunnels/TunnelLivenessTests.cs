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
        Assert.Equal(0, _tunnel.LossRatio);
    }

    [Fact]
    public void Two_lost_probes_are_borne_and_the_third_is_down()
    {
        Connect();
        _tunnel.Lost();
        _tunnel.Lost();
        Assert.False(_tunnel.Update(Now, Now));
        _tunnel.Lost();
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
    public void One_answer_brings_it_back()
    {
        Connect();
        for (var i = 0; i < 5; i++)
        {
            _tunnel.Lost();
        }

        _tunnel.Update(Now, Now);
        _tunnel.Answered(TimeSpan.FromMilliseconds(3));
        Assert.True(_tunnel.Update(Now, Now));
        Assert.Equal(TunnelState.Connected, _tunnel.State);
    }

    [Fact]
    public void What_was_lost_while_it_came_up_is_no_loss()
    {
        _tunnel.Lost();
        _tunnel.Lost();
        Connect();
        // Sent before the first answer, and given up after it.
        _tunnel.Lost(sentBeforeFirstAnswer: true);
        Assert.Equal(0, _tunnel.LossRatio);
        _tunnel.Lost();
        Assert.Equal(0.5, _tunnel.LossRatio);
    }

    [Fact]
    public void Loss_is_of_the_last_twenty_probes()
    {
        Connect();
        for (var i = 0; i < 30; i++)
        {
            _tunnel.Answered(TimeSpan.FromMilliseconds(1));
        }

        _tunnel.Lost();
        Assert.Equal(0.05, _tunnel.LossRatio);
    }

    void Connect()
    {
        _tunnel.Answered(TimeSpan.FromMilliseconds(2));
        _tunnel.Update(Now, Now);
    }
}
