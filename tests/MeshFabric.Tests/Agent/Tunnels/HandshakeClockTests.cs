using MeshFabric.Agent.Setup;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Tests.Agent.Tunnels;

/// <summary>The host's clock is set while tunnels stand.</summary>
public sealed class HandshakeClockTests
{
    static readonly PublicKey Peer = PrivateKey.Generate().ToPublicKey();

    readonly SetClock _wall = new();
    readonly SteadyTime _time;
    readonly HandshakeClock _clock;

    public HandshakeClockTests()
    {
        _time = new SteadyTime(_wall);
        _clock = new HandshakeClock(_time);
    }

    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    public void A_handshake_is_as_old_as_it_is_though_the_clock_was_set(int seconds)
    {
        var told = _wall.GetUtcNow() - TimeSpan.FromSeconds(30);
        Assert.Equal(TimeSpan.FromSeconds(30), Age(told));
        _wall.Advance(TimeSpan.FromSeconds(10));
        _wall.Set(TimeSpan.FromSeconds(seconds));
        Assert.Equal(TimeSpan.FromSeconds(40), Age(told));
        Assert.Equal(_wall.GetUtcNow() - TimeSpan.FromSeconds(40), SteadyTime.ToWall(_time, _time.GetUtcNow() - TimeSpan.FromSeconds(40)));

        // The next one, by the clock as it is now.
        told = _wall.GetUtcNow();
        Assert.Equal(TimeSpan.Zero, Age(told));
        _wall.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromSeconds(5), Age(told));
    }

    [Fact]
    public void One_that_the_device_tells_of_the_future_was_just_now() => Assert.Equal(TimeSpan.Zero, Age(_wall.GetUtcNow() + TimeSpan.FromHours(1)));

    [Fact]
    public void Who_is_no_peer_any_more_is_forgotten()
    {
        var told = _wall.GetUtcNow() - TimeSpan.FromSeconds(30);
        Age(told);
        _clock.Of(new DeviceState("mf0", null, 1, 0, []));
        _wall.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(TimeSpan.FromSeconds(60), Age(told));
    }

    TimeSpan Age(DateTimeOffset told) =>
        _time.GetUtcNow() - _clock.Of(new DeviceState("mf0", null, 1, 0, [new PeerState(Peer, null, null, 0, told, 0, 0, [])])).Peers[0].LastHandshake!.Value;

    /// <summary>Time passes, and somebody sets the clock: the host's counter does not mind.</summary>
    sealed class SetClock : TimeProvider
    {
        DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        long _counter;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => _now;

        public override long GetTimestamp() => _counter;

        public void Advance(TimeSpan by) => (_now, _counter) = (_now + by, _counter + by.Ticks);

        public void Set(TimeSpan by) => _now += by;
    }
}
