using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Paths;

/// <summary>The ways to one peer, and which of them work. Pure: time is handed in. Not for several threads at once.</summary>
/// <remarks>
/// Asked all at once and again and again: that both sides do so is what opens their NATs. A relay is no last resort that is waited for, it carries until something better is
/// found; and it goes on being asked afterwards, for it may be needed any moment.
/// </remarks>
public sealed class CandidateList
{
    /// <summary>Between asks: while nothing works, or a better way may be found soon; for the way in use; for those in reserve.</summary>
    public static readonly TimeSpan Hunting = TimeSpan.FromMilliseconds(250), Searching = TimeSpan.FromSeconds(1), Keeping = TimeSpan.FromSeconds(5);

    /// <summary>Unanswered asks in a row after which a way is none.</summary>
    public const int DeadAfter = 3;

    // What has not worked for so long is asked more seldom.
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    static readonly TimeSpan LearnedLifetime = TimeSpan.FromSeconds(60);
    const int MostLearned = 4;

    // Of a learned way that never answered.
    const int MostAsks = 8;

    // Another way of the same sort must be better by both, or two that are equal would be changed between for ever.
    const double Better = 0.7;
    static readonly TimeSpan BetterBy = TimeSpan.FromMilliseconds(2);

    readonly List<Way> _ways = [];
    UdpEndpoint? _current;
    DateTimeOffset _currentSince;

    // What was chosen last: the device is seen there only a turn later, and two equal ways would be changed between with every turn until then.
    UdpEndpoint? _chosen;
    bool _isConnected;
    DateTimeOffset _newsAt;

    sealed class Way(PathCandidate candidate)
    {
        public PathCandidate Candidate => candidate;
        public DateTimeOffset? AskedAt { get; set; }
        public DateTimeOffset? AnsweredAt { get; set; }
        public DateTimeOffset HeardAt { get; set; }

        /// <summary>The tunnel went down by this way then; what was answered before counts no more.</summary>
        public DateTimeOffset? FailedAt { get; set; }

        public TimeSpan RoundTrip { get; set; }
        public int LostInARow { get; set; }
        public bool IsRelay => candidate.Kind == CandidateKind.Relay;
    }

    /// <summary>Takes over what the facts say; what is known of a way that stays is kept.</summary>
    public void Want(ValueList<PathCandidate> candidates, DateTimeOffset now)
    {
        var wanted = candidates.Select(c => c.Endpoint).ToHashSet();
        var gone = _ways.RemoveAll(w => w.Candidate.Kind == CandidateKind.Learned
            ? wanted.Contains(w.Candidate.Endpoint) || now - w.HeardAt > LearnedLifetime
            : !candidates.Contains(w.Candidate));
        foreach (var candidate in candidates.Where(c => _ways.TrueForAll(w => w.Candidate != c)))
        {
            _ways.Add(new Way(candidate));
            _newsAt = now;
        }

        if (gone > 0)
        {
            _newsAt = now;
        }
    }

    /// <param name="current">Where the device sends to.</param>
    /// <param name="isConnected">The tunnel answers probes there.</param>
    public void Observe(UdpEndpoint? current, bool isConnected, DateTimeOffset now)
    {
        if (_isConnected && !isConnected)
        {
            _newsAt = now;
            // Whichever of the two it was, where they are not the same.
            foreach (var way in _ways.Where(w => w.Candidate.Endpoint == _current || w.Candidate.Endpoint == current))
            {
                way.FailedAt = now;
            }
        }

        if (current != _current)
        {
            _currentSince = now;
            // Whether the others still work is to be known now, not when their turn comes.
            foreach (var other in _ways.Where(w => w.AnsweredAt is not null && w.Candidate.Endpoint != current))
            {
                other.AskedAt = null;
            }
        }

        (_current, _isConnected) = (current, isConnected);
    }

    /// <summary>The far side asked from there: that is a way as well. True when it was not known.</summary>
    public bool Heard(UdpEndpoint from, DateTimeOffset now)
    {
        if (_ways.Find(w => w.Candidate.Endpoint == from) is { } known)
        {
            known.HeardAt = now;
            return false;
        }

        // Those that never answered go first: an ask that somebody recorded and sends again says nothing true.
        var learned = _ways.Where(w => w.Candidate.Kind == CandidateKind.Learned).OrderBy(w => w.AnsweredAt is null ? 0 : 1).ThenBy(w => w.HeardAt).ToList();
        if (learned.Count >= MostLearned)
        {
            _ways.Remove(learned[0]);
        }

        _ways.Add(new Way(new PathCandidate(CandidateKind.Learned, from)) { HeardAt = now });
        _newsAt = now;
        return true;
    }

    /// <summary>Those to ask now; counted as asked.</summary>
    public IReadOnlyList<UdpEndpoint> Due(DateTimeOffset now)
    {
        _ways.RemoveAll(w => w.Candidate.Kind == CandidateKind.Learned && w.AnsweredAt is null && w.LostInARow >= MostAsks);
        var due = _ways.Where(w => w.AskedAt is null || now - w.AskedAt >= Interval(w, now)).ToList();
        foreach (var way in due)
        {
            way.LostInARow += way.AskedAt is { } asked && (way.AnsweredAt is null || way.AnsweredAt < asked) ? 1 : 0;
            way.AskedAt = now;
        }

        return due.ConvertAll(w => w.Candidate.Endpoint);
    }

    /// <summary>When to ask again.</summary>
    public DateTimeOffset Next(DateTimeOffset now) => _ways.Count == 0 ? now + Keeping : _ways.Min(w => w.AskedAt is { } asked ? asked + Interval(w, now) : now);

    public void Answered(UdpEndpoint from, TimeSpan roundTrip, DateTimeOffset now)
    {
        if (_ways.Find(w => w.Candidate.Endpoint == from) is { } way)
        {
            way.RoundTrip = way.AnsweredAt is null ? roundTrip : way.RoundTrip + ((roundTrip - way.RoundTrip) / 8);
            way.AnsweredAt = now;
            way.LostInARow = 0;
        }
    }

    /// <summary>The best way that works; null when none is known to.</summary>
    public PathCandidate? Best()
    {
        var current = _ways.Find(w => w.Candidate.Endpoint == (_chosen ?? _current) && Works(w));
        var working = _ways.Where(Works).OrderBy(w => w.RoundTrip).ToList();
        var best = working.Find(w => !w.IsRelay) ?? working.FirstOrDefault();
        return (current is not null && best is not null && current.IsRelay == best.IsRelay && !IsBetter(best, current) ? current : best)?.Candidate;
    }

    /// <summary>The way to send by from now on; null: by the one that the device has.</summary>
    /// <param name="initiates">
    /// Ours is the side that chooses. The other one follows wherever packets come from, and helps along in one case only: off a relay. Packets that are still on their way by the
    /// relay draw the device back to it, and with traffic both ways each side would draw the other. By a way that answered since the far side chose the relay, that is: it may
    /// have had a reason to, and one that loses packets in our direction only (that we cannot see) is the worst of them.
    /// </param>
    public PathCandidate? Choose(bool initiates)
    {
        var best = Best();
        _chosen = initiates ? best?.Endpoint : null;
        return initiates ? best
            : _isConnected && _ways.Exists(w => w.IsRelay && w.Candidate.Endpoint == _current) && _ways.Exists(w => w.Candidate == best && !w.IsRelay && AnsweredSince(w, _currentSince)) ? best
            : null;
    }

    // What the tunnel's own probes say of the way in use counts for more than what a check said before.
    bool Works(Way way)
    {
        var isCurrent = way.Candidate.Endpoint == _current;
        return (isCurrent && _isConnected) || (way.AnsweredAt is { } answered && way.LostInARow < DeadAfter && !(answered <= way.FailedAt));
    }

    static bool AnsweredSince(Way way, DateTimeOffset then) => way.AnsweredAt > then;

    static bool IsBetter(Way other, Way current) => other.RoundTrip < Better * current.RoundTrip && current.RoundTrip - other.RoundTrip > BetterBy;

    TimeSpan Interval(Way way, DateTimeOffset now)
    {
        var isNews = now - _newsAt < Patience;
        return !_isConnected ? (isNews ? Hunting : Searching)
            : way.IsRelay || way.Candidate.Endpoint == _current || !isNews || IsDirect ? Keeping
            : Searching;
    }

    bool IsDirect => _ways.Exists(w => w.Candidate.Endpoint == _current && !w.IsRelay);
}
