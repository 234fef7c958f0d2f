namespace MeshFabric.Agent.Nodes;

/// <summary>A turn now and then for as long as the agent runs. What fails is told once, and tried again.</summary>
static class Turns
{
    /// <param name="describe">What to tell of a failure; null: it was not expected, and ends the agent.</param>
    public static async Task RunAsync(TimeSpan pause, TimeProvider time, Func<CancellationToken, Task> turn, Func<Exception, string?> describe, Action<string> tell, CancellationToken cancellationToken)
    {
        string? told = null;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await turn(cancellationToken);
                told = null;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && describe(e) is { } reason)
            {
                if (told != reason)
                {
                    told = reason;
                    tell(reason);
                }
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
