namespace MeshFabric.Agent.Probing;

/// <summary>How often paths are probed: those that carry traffic, or that just lost a probe, ten times a second. Pure.</summary>
/// <remarks>Bounded however many paths there are: at most 250 probes a second for those that are quick, and as many for all together.</remarks>
public static class ProbePace
{
    public static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(100), ComingUp = TimeSpan.FromMilliseconds(250), Idle = TimeSpan.FromSeconds(1);

    const double MostASecond = 250;

    // A probe and its answer, encrypted, and what WireGuard says by itself: keepalives, and a handshake every two minutes.
    const ulong ProbeBytes = 512;
    const ulong Slack = 4096;

    /// <param name="isQuick">It carries traffic, or its last probe was lost.</param>
    /// <param name="isAlive">It answers.</param>
    /// <param name="quick">How many are quick.</param>
    /// <param name="all">How many there are.</param>
    public static TimeSpan Of(bool isQuick, bool isAlive, int quick, int all) =>
        isQuick && isAlive ? AtLeast(Quick, quick) : AtLeast(isAlive ? Idle : ComingUp, all);

    /// <summary>Whether a path carried more than its own probes.</summary>
    /// <param name="bytes">That went over it, both ways together.</param>
    /// <param name="probes">That were sent meanwhile.</param>
    public static bool Carries(ulong bytes, int probes) => bytes > Slack + ((ulong)probes * ProbeBytes);

    static TimeSpan AtLeast(TimeSpan interval, int paths)
    {
        var bound = TimeSpan.FromSeconds(paths / MostASecond);
        return interval > bound ? interval : bound;
    }
}
