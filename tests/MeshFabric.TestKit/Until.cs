namespace MeshFabric.TestKit;

/// <summary>Waits for a condition, never for a time.</summary>
public static class Until
{
    static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20);

    /// <exception cref="TimeoutException">The limit passed; the message names what was waited for.</exception>
    public static Task TrueAsync(Func<bool> condition, TimeSpan limit, string what, CancellationToken cancellationToken = default) =>
        TrueAsync(() => Task.FromResult(condition()), limit, () => what, cancellationToken);

    /// <inheritdoc cref="TrueAsync(Func{bool}, TimeSpan, string, CancellationToken)"/>
    public static Task TrueAsync(Func<Task<bool>> condition, TimeSpan limit, string what, CancellationToken cancellationToken = default) =>
        TrueAsync(condition, limit, () => what, cancellationToken);

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, TimeSpan, Func{string}, CancellationToken)"/>
    public static Task TrueAsync(Func<bool> condition, TimeSpan limit, Func<string> what, CancellationToken cancellationToken = default) =>
        TrueAsync(() => Task.FromResult(condition()), limit, what, cancellationToken);

    /// <param name="what">Asked only when time is up: it may say what was the case instead.</param>
    /// <exception cref="TimeoutException">The limit passed.</exception>
    public static async Task TrueAsync(Func<Task<bool>> condition, TimeSpan limit, Func<string> what, CancellationToken cancellationToken = default)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > limit)
            {
                throw new TimeoutException($"waited {limit.TotalSeconds:0} s in vain for {what()}");
            }

            await Task.Delay(Step, cancellationToken);
        }
    }
}
