using System.Diagnostics;

namespace MeshFabric.TestKit;

/// <summary>Waits for a condition, never for a time.</summary>
public static class Until
{
    /// <param name="what">Read after "not in time: ".</param>
    public static Task TrueAsync(string what, Func<Task<bool>> condition, TimeSpan limit, CancellationToken cancellationToken = default) =>
        TrueAsync(condition, limit, () => what, cancellationToken);

    public static Task TrueAsync(string what, Func<bool> condition, TimeSpan limit, CancellationToken cancellationToken = default) =>
        TrueAsync(condition, limit, () => what, cancellationToken);

    public static Task TrueAsync(Func<bool> condition, TimeSpan limit, Func<string> what, CancellationToken cancellationToken = default) =>
        TrueAsync(() => Task.FromResult(condition()), limit, what, cancellationToken);

    /// <param name="what">Asked only when time is up: it may say what was the case instead.</param>
    public static async Task TrueAsync(Func<Task<bool>> condition, TimeSpan limit, Func<string> what, CancellationToken cancellationToken = default)
    {
        var started = Stopwatch.StartNew();
        while (!await condition())
        {
            if (started.Elapsed > limit)
            {
                throw new TimeoutException($"not within {limit.TotalSeconds:0} s: {what()}");
            }

            await Task.Delay(20, cancellationToken);
        }
    }
}
