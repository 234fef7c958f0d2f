using MeshFabric.Domain.Tunnels;

namespace MeshFabric.Agent.Tunnels;

/// <summary>Whether one tunnel carries traffic, from handshakes and probes. Pure: time is handed in.</summary>
public sealed class TunnelLiveness
{
    /// <summary>WireGuard drops a session 180 s after its handshake (REJECT_AFTER_TIME).</summary>
    public static readonly TimeSpan HandshakeLifetime = TimeSpan.FromSeconds(180);

    /// <summary>Lost probes in a row that make a tunnel dead.</summary>
    public const int DeadAfter = 3;

    const int Window = 20;
    readonly Queue<bool> _last = [];
    int _lostInARow;
    bool _everAnswered;

    public TunnelState State { get; private set; } = TunnelState.Connecting;

    public TimeSpan? RoundTrip { get; private set; }

    public double? LossRatio => _last.Count == 0 ? null : (double)_last.Count(answered => !answered) / _last.Count;

    public void Answered(TimeSpan roundTrip)
    {
        if (!_everAnswered)
        {
            // What was lost before the tunnel existed says nothing about it.
            _last.Clear();
        }

        _everAnswered = true;
        _lostInARow = 0;
        RoundTrip = roundTrip;
        Remember(true);
    }

    /// <summary>False until the first answer; handed back to <see cref="Lost"/> by whoever sent a probe before it.</summary>
    public bool HasAnswered => _everAnswered;

    /// <param name="sentBeforeFirstAnswer">The probe was sent while the tunnel was still coming up: once it is up that says nothing about it.</param>
    public void Lost(bool sentBeforeFirstAnswer = false)
    {
        if (sentBeforeFirstAnswer && _everAnswered)
        {
            return;
        }

        _lostInARow++;
        Remember(false);
    }

    /// <summary>Takes a new reading of the device into account; true when the state changed.</summary>
    public bool Update(DateTimeOffset? lastHandshake, DateTimeOffset now)
    {
        var before = State;
        var fresh = lastHandshake is { } at && now - at < HandshakeLifetime;
        State = fresh && _everAnswered && _lostInARow < DeadAfter ? TunnelState.Connected
            : before == TunnelState.Connecting && _lostInARow < DeadAfter ? TunnelState.Connecting
            : _everAnswered || before == TunnelState.Down ? TunnelState.Down
            : TunnelState.Connecting;
        return State != before;
    }

    void Remember(bool answered)
    {
        _last.Enqueue(answered);
        if (_last.Count > Window)
        {
            _last.Dequeue();
        }
    }
}
