using System.Diagnostics;

namespace MeshFabric.Cli.Asking;

/// <summary>Looks again and again until something is as it should be.</summary>
static class Waiting
{
    /// <param name="look">How often.</param>
    /// <param name="missing">What to say when the time is over; null: it is as it should be.</param>
    /// <exception cref="CommandException">The time is over.</exception>
    public static async Task UntilAsync(TimeSpan limit, TimeSpan look, Func<Task<CommandException?>> missing, CancellationToken cancellationToken)
    {
        var started = Stopwatch.StartNew();
        while (await missing() is { } late)
        {
            if (started.Elapsed > limit)
            {
                throw late;
            }

            await Task.Delay(look, cancellationToken);
        }
    }
}
