using System.Collections.Frozen;
using MeshFabric.Net;

namespace MeshFabric.Agent.Reconciling;

/// <summary>A device of ours, as far as changing its key goes.</summary>
/// <param name="Key">That it was last seen to have; null: it has none, or there is none yet.</param>
public sealed record KeyedPlane(string Device, PublicKey? Key, ValueList<KeyedTunnel> Tunnels);

/// <param name="AnsweredOf">When the last probe was sent that was answered; null: none was.</param>
public sealed record KeyedTunnel(string Cluster, string Gateway, bool IsConnected, DateTimeOffset? AnsweredOf);

/// <summary>Gives our devices their next key one after the other, so that the others carry meanwhile. Pure: time is handed in.</summary>
/// <remarks>
/// Whose turn it is rests first, for what it sends with the next key is lost until the far side has given that key our addresses. Then it gets the key, and carries again once
/// whoever had a tunnel to it has answered a probe that was sent with it: the far side lets that pass only then. What the devices have decides, so that another agent goes on
/// where this one ended; and nobody is waited for without a limit.
/// </remarks>
public sealed class PlaneKeys
{
    /// <summary>All hear at the same moment that we may use it, and have a turn's work with that.</summary>
    public static readonly TimeSpan OthersTurn = TimeSpan.FromMilliseconds(500);

    /// <summary>For what is in a device that carries nothing more.</summary>
    public static readonly TimeSpan Emptying = TimeSpan.FromMilliseconds(100);

    /// <summary>For the answers. A handshake that was lost is repeated after 5 s.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);

    sealed record Given(PublicKey? Key, FrozenSet<string> Devices);

    sealed record Turn(string Device, DateTimeOffset RestsSince)
    {
        public DateTimeOffset? GivenAt { get; init; }
        public DateTimeOffset? SeenAt { get; init; }
        public IReadOnlySet<(string Cluster, string Gateway)> Awaited { get; init; } = FrozenSet<(string, string)>.Empty;
    }

    volatile Given _given = new(null, []);
    DateTimeOffset _since;
    Turn? _turn;

    /// <summary>The device whose turn it is.</summary>
    public string? Resting => _turn?.Device;

    public bool IsChanging { get; private set; }

    /// <summary>The key that all devices have by now; null: that in force.</summary>
    public PublicKey? Used => IsChanging ? null : _given.Key;

    /// <summary>Which key this device is to have; null: that in force. From any thread.</summary>
    public PublicKey? Of(string device) => _given is var given && given.Devices.Contains(device) ? given.Key : null;

    /// <param name="next">That the devices are to have; null: they are to have the one in force, all of them at once.</param>
    /// <param name="planes">All devices that are wanted, in the order of their turns.</param>
    /// <param name="isSettling">Some tunnel is about to come up that could carry meanwhile.</param>
    public void Update(PublicKey inForce, PublicKey? next, IReadOnlyList<KeyedPlane> planes, bool isSettling, DateTimeOffset now)
    {
        if (_given.Key != next)
        {
            (_given, _turn, _since) = (new Given(next, []), Begun(inForce, next, planes, now), now);
        }

        if (next is null)
        {
            IsChanging = false;
            return;
        }

        // Those that have it already; and where neither is on a device, there is no session to lose.
        Give(planes.Where(p => p.Key != inForce));
        _turn = _turn is null ? null : Advance(_turn, planes, now);
        var waited = now - _since;
        if (_turn is null && waited >= OthersTurn && (!isSettling || waited >= Patience))
        {
            _turn = planes.Where(p => !Has(p)).Select(p => new Turn(p.Device, now)).FirstOrDefault();
        }

        IsChanging = _turn is not null || !planes.All(Has);
    }

    // By an agent before this one, which may have ended before anybody answered.
    static Turn? Begun(PublicKey inForce, PublicKey? next, IReadOnlyList<KeyedPlane> planes, DateTimeOffset now) =>
        next is not null && planes.Any(p => p.Key == inForce) && planes.LastOrDefault(p => p.Key == next) is { } last
            ? new Turn(last.Device, now) { GivenAt = now, SeenAt = now, Awaited = last.Tunnels.Select(Id).ToFrozenSet() } : null;

    Turn? Advance(Turn turn, IReadOnlyList<KeyedPlane> planes, DateTimeOffset now)
    {
        if (planes.FirstOrDefault(p => p.Device == turn.Device) is not { } plane)
        {
            return null;
        }

        if (turn.GivenAt is not { } given)
        {
            if (now - turn.RestsSince < Emptying)
            {
                return turn;
            }

            Give([plane]);
            return turn with { GivenAt = now, Awaited = plane.Tunnels.Where(t => t.IsConnected).Select(Id).ToFrozenSet() };
        }

        // A probe from before may still be answered.
        turn = turn with { SeenAt = turn.SeenAt ?? (plane.Key == _given.Key ? now : null) };
        var isProven = turn.SeenAt is { } seen && plane.Tunnels.Where(t => turn.Awaited.Contains(Id(t))).All(t => t.AnsweredOf > seen);
        return isProven || now - given >= Patience ? null : turn;
    }

    bool Has(KeyedPlane plane) => _given.Devices.Contains(plane.Device);

    void Give(IEnumerable<KeyedPlane> planes)
    {
        var more = planes.Where(p => !Has(p)).Select(p => p.Device).ToList();
        if (more.Count > 0)
        {
            _given = _given with { Devices = _given.Devices.Concat(more).ToFrozenSet() };
        }
    }

    static (string, string) Id(KeyedTunnel tunnel) => (tunnel.Cluster, tunnel.Gateway);
}
