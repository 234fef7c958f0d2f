namespace MeshFabric.Agent.Probing;

/// <summary>Whether one path answers probes, and how well. Pure. Not for several threads at once.</summary>
/// <remarks>Lost ones in a row decide, not a ratio: 2 % of loss makes three in a row once in 125,000 probes.</remarks>
public sealed class PathLiveness
{
    /// <summary>Lost probes in a row that make a path dead.</summary>
    public const int DeadAfter = 3;

    /// <summary>Answered probes in a row that bring a dead path back.</summary>
    public const int AliveAfter = 3;

    /// <summary>An answer that takes longer is none, at least and at most; before the first answer the latter.</summary>
    public static readonly TimeSpan ShortestLimit = TimeSpan.FromMilliseconds(150), LongestLimit = TimeSpan.FromSeconds(1);

    const int Window = 20;
    readonly Queue<bool> _last = [];
    int _answeredInARow;
    TimeSpan _smoothed;
    TimeSpan _variation;

    /// <summary>True from the first answer until <see cref="DeadAfter"/>; then again after <see cref="AliveAfter"/>.</summary>
    public bool IsAlive { get; private set; }

    /// <summary>Also before the first answer, for as long as too few were lost to say that none will come.</summary>
    public bool MayBeAlive => IsAlive || (!HasAnswered && LostInARow < DeadAfter);

    /// <summary>False until the first answer; handed back to <see cref="Lost"/> by whoever sent a probe before it.</summary>
    public bool HasAnswered { get; private set; }

    public int LostInARow { get; private set; }

    /// <summary>Of the last answered probe; null before the first.</summary>
    public TimeSpan? RoundTrip { get; private set; }

    /// <summary>Mean difference of round trips that follow each other (as RFC 3550, 6.4.1 smooths it); null before the second.</summary>
    public TimeSpan? Jitter { get; private set; }

    /// <summary>0 to 1, over the last 20 probes.</summary>
    public double? LossRatio => _last.Count == 0 ? null : (double)_last.Count(answered => !answered) / _last.Count;

    /// <summary>How long the next probe may take: the smoothed round trip and four times its variation (RFC 6298), within bounds.</summary>
    public TimeSpan Limit => !HasAnswered ? LongestLimit : Clamp(_smoothed + (4 * _variation));

    public void Answered(TimeSpan roundTrip)
    {
        if (!HasAnswered)
        {
            // What was lost before the path existed says nothing about it.
            _last.Clear();
            HasAnswered = IsAlive = true;
            (_smoothed, _variation) = (roundTrip, roundTrip / 2);
        }
        else
        {
            var difference = (roundTrip - RoundTrip!.Value).Duration();
            Jitter = Jitter is { } before ? before + ((difference - before) / 16) : difference;
            _variation += ((_smoothed - roundTrip).Duration() - _variation) / 4;
            _smoothed += (roundTrip - _smoothed) / 8;
        }

        LostInARow = 0;
        RoundTrip = roundTrip;
        IsAlive |= ++_answeredInARow >= AliveAfter;
        Remember(true);
    }

    /// <param name="sentBeforeFirstAnswer">The probe was sent while the path was still coming up: once it is up that says nothing about it.</param>
    public void Lost(bool sentBeforeFirstAnswer = false)
    {
        if (sentBeforeFirstAnswer && HasAnswered)
        {
            return;
        }

        LostInARow++;
        _answeredInARow = 0;
        IsAlive &= LostInARow < DeadAfter;
        Remember(false);
    }

    void Remember(bool answered)
    {
        _last.Enqueue(answered);
        if (_last.Count > Window)
        {
            _last.Dequeue();
        }
    }

    static TimeSpan Clamp(TimeSpan limit) => limit < ShortestLimit ? ShortestLimit : limit > LongestLimit ? LongestLimit : limit;
}
