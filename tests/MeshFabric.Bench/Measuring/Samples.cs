namespace MeshFabric.Bench.Measuring;

/// <summary>Order statistics of a few samples.</summary>
public static class Samples
{
    /// <param name="quantile">0 to 1; nearest rank.</param>
    public static double Quantile(this IEnumerable<double> samples, double quantile)
    {
        var sorted = samples.Order().ToList();
        return sorted[Math.Clamp((int)Math.Ceiling(quantile * sorted.Count) - 1, 0, sorted.Count - 1)];
    }

    public static double Median(this IEnumerable<double> samples)
    {
        var sorted = samples.Order().ToList();
        return sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[(sorted.Count / 2) - 1] + sorted[sorted.Count / 2]) / 2;
    }
}
