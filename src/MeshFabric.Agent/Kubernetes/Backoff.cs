namespace MeshFabric.Agent.Kubernetes;

/// <summary>Growing pauses between attempts: half a second, doubled up to 30, each shortened by up to a half so that many agents do not come back together.</summary>
sealed class Backoff(TimeProvider time)
{
    static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    TimeSpan _next = Shortest;

    public void Reset() => _next = Shortest;

    /// <summary>Returns early, without an exception, when cancelled.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        var pause = _next * (0.5 + (Random.Shared.NextDouble() / 2));
        _next = _next * 2 < Longest ? _next * 2 : Longest;
        await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
