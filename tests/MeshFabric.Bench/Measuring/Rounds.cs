using System.Globalization;

namespace MeshFabric.Bench.Measuring;

/// <summary>How measurements are repeated.</summary>
public static class Rounds
{
    /// <summary>The order of one round; every other begins at the other end.</summary>
    public static IReadOnlyList<T> Order<T>(int round, IReadOnlyList<T> paths) => round % 2 == 1 ? paths : [.. paths.Reverse()];

    /// <summary>Measures each path twice, there and back again, so that what drifts during a round weighs the same on each.</summary>
    /// <returns>Of each path, in the order of <paramref name="paths"/>, the mean of both.</returns>
    public static async Task<IReadOnlyList<double>> ThereAndBackAsync<T>(int round, IReadOnlyList<T> paths, Func<T, Task<double>> measure) where T : notnull
    {
        var sums = paths.ToDictionary(p => p, _ => 0.0);
        var there = Order(round, paths);
        foreach (var path in there.Concat(there.Reverse()))
        {
            sums[path] += await measure(path) / 2;
        }

        return [.. paths.Select(p => sums[p])];
    }

    /// <summary>Measures a repair again and again.</summary>
    /// <param name="once">Does harm and waits for the repair; seconds.</param>
    public static async Task<IReadOnlyList<Figure>> RepairAsync(BenchmarkContext context, string name, Func<Task<double>> once)
    {
        var times = new List<double>();
        for (var round = 0; round < context.Rounds; round++)
        {
            times.Add(await once());
        }

        context.Say(string.Create(CultureInfo.InvariantCulture, $"{name}: median {times.Median():0.00} s, most {times.Max():0.00} s"));
        return [new Figure($"{name}_median_seconds", times.Median()), new Figure($"{name}_max_seconds", times.Max(), "<= 5")];
    }

    /// <summary>What a fault cost, round by round, against what it may cost.</summary>
    /// <param name="name">Of the fault, with an underscore behind it; empty for all of them.</param>
    /// <param name="losses">Seconds.</param>
    public static IReadOnlyList<Figure> Losses(string name, IReadOnlyList<double> losses) =>
        [new($"{name}loss_median_seconds", losses.Median(), "<= 0.5"), new($"{name}loss_p99_seconds", losses.Quantile(0.99), "<= 1.5")];
}
