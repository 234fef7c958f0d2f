namespace MeshFabric.Agent.Setup;

/// <summary>A clock that is right when the agent starts, and from then on only goes on: a host whose clock is set while its tunnels stand loses none of them by it.</summary>
public sealed class SteadyTime(TimeProvider wall) : TimeProvider
{
    readonly DateTimeOffset _start = wall.GetUtcNow();
    readonly long _at = wall.GetTimestamp();

    /// <summary>The host's clock.</summary>
    public TimeProvider Wall => wall;

    public override long TimestampFrequency => wall.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => _start + wall.GetElapsedTime(_at);

    public override long GetTimestamp() => wall.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => wall.CreateTimer(callback, state, dueTime, period);

    /// <summary>What the host's clock says of a moment of <paramref name="time"/>, for people.</summary>
    public static DateTimeOffset ToWall(TimeProvider time, DateTimeOffset moment) => time is SteadyTime steady ? steady.Wall.GetUtcNow() - (steady.GetUtcNow() - moment) : moment;

    /// <summary>The host's clock behind <paramref name="time"/>.</summary>
    public static TimeProvider WallOf(TimeProvider time) => time is SteadyTime steady ? steady.Wall : time;
}
