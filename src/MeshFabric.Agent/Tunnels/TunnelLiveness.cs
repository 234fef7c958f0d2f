using MeshFabric.Agent.Probing;
using MeshFabric.Domain.Tunnels;

namespace MeshFabric.Agent.Tunnels;

/// <summary>Whether one tunnel carries traffic, from handshakes and probes. Pure: time is handed in.</summary>
public sealed class TunnelLiveness
{
    /// <summary>WireGuard drops a session 180 s after its handshake (REJECT_AFTER_TIME).</summary>
    public static readonly TimeSpan HandshakeLifetime = TimeSpan.FromSeconds(180);

    public PathLiveness Path { get; } = new();

    /// <summary>There is a session, and no probe says otherwise: also before the first answer, right after the agent's start.</summary>
    public bool MayCarry { get; private set; }

    public TunnelState State { get; private set; } = TunnelState.Connecting;

    /// <summary>Takes the device's last reading and the probes into account; true when the state changed.</summary>
    public bool Update(DateTimeOffset? lastHandshake, DateTimeOffset now)
    {
        var before = State;
        var fresh = lastHandshake is { } at && now - at < HandshakeLifetime;
        MayCarry = fresh && Path.MayBeAlive;
        State = fresh && Path.IsAlive ? TunnelState.Connected
            : before == TunnelState.Connecting && Path.LostInARow < PathLiveness.DeadAfter ? TunnelState.Connecting
            : Path.HasAnswered || before == TunnelState.Down ? TunnelState.Down
            : TunnelState.Connecting;
        return State != before;
    }
}
