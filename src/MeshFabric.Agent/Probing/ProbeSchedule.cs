namespace MeshFabric.Agent.Probing;

/// <summary>When each path is probed next. Pure: time is handed in.</summary>
public sealed class ProbeSchedule<TPath>
    where TPath : notnull
{
    // Probes of paths that are due almost together go together.
    static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(5);
    static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    Dictionary<TPath, DateTimeOffset> _probed = [];

    /// <summary>Those that are due now, which count as probed from now on, and how long to wait for the next.</summary>
    public (IReadOnlyList<TPath> Due, TimeSpan Pause) Next(IEnumerable<(TPath Path, TimeSpan Interval)> paths, DateTimeOffset now)
    {
        var probed = new Dictionary<TPath, DateTimeOffset>();
        var due = new List<TPath>();
        var next = now + LongestPause;
        foreach (var (path, interval) in paths)
        {
            var at = _probed.TryGetValue(path, out var last) ? last : DateTimeOffset.MinValue;
            if (at == DateTimeOffset.MinValue || at + interval <= now + Slack)
            {
                due.Add(path);
                at = now;
            }

            probed[path] = at;
            next = at + interval < next ? at + interval : next;
        }

        _probed = probed;
        return (due, next > now + Slack ? next - now : Slack);
    }
}
