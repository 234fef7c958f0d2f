using System.Diagnostics;

namespace MeshFabric.Server.Tests.Services;

/// <summary>Waits for a condition with a limit, and says what was the case when it never came.</summary>
public static class Eventually
{
    public static Task TrueAsync(Func<bool> condition, TimeSpan limit, Func<string> otherwise, CancellationToken cancellationToken) =>
        TrueAsync(() => Task.FromResult(condition()), limit, otherwise, cancellationToken);

    public static async Task TrueAsync(Func<Task<bool>> condition, TimeSpan limit, Func<string> otherwise, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(clock.Elapsed < limit, $"not within {limit.TotalSeconds:0} s: {otherwise()}");
            await Task.Delay(50, cancellationToken);
        }
    }
}
