using System.Diagnostics;

namespace MeshFabric.TestKit;

/// <summary>Waits for a condition, never for a time.</summary>
public static class Until
{
    /// <param name="what">Read after "not in time: ".</param>
    public static async Task TrueAsync(string what, Func<Task<bool>> condition, TimeSpan limit, CancellationToken cancellationToken = default)
    {
        var started = Stopwatch.StartNew();
        while (!await condition())
        {
            if (started.Elapsed > limit)
            {
                throw new TimeoutException($"not within {limit.TotalSeconds:0} s: {what}");
            }

            await Task.Delay(20, cancellationToken);
        }
    }

    public static Task TrueAsync(string what, Func<bool> condition, TimeSpan limit, CancellationToken cancellationToken = default) =>
        TrueAsync(what, () => Task.FromResult(condition()), limit, cancellationToken);
}
