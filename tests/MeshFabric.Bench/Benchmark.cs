using System.Globalization;
using System.Text.Json;

namespace MeshFabric.Bench;

/// <summary>One measured figure; the unit is in its name.</summary>
/// <param name="Limit">What design.md asks for, such as <c>&gt;= 0.97</c>; null when it asks nothing.</param>
public sealed record Figure(string Name, double Value, string? Limit = null)
{
    public string Text => Value.ToString(Math.Abs(Value) >= 100 ? "0" : Math.Abs(Value) >= 10 ? "0.0" : "0.000", CultureInfo.InvariantCulture);

    /// <summary>Null without a limit.</summary>
    public bool? IsReached => Limit?.Split(' ') is [var comparison, var bound]
        ? comparison == ">=" ? Value >= double.Parse(bound, CultureInfo.InvariantCulture) : Value <= double.Parse(bound, CultureInfo.InvariantCulture)
        : null;
}

/// <summary>A named measurement that ends with its figures.</summary>
public interface IBenchmark
{
    string Name { get; }

    /// <summary>One paragraph for docs/benchmarks.md: what is compared with what, and how.</summary>
    string Description { get; }

    Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken);
}

/// <param name="Programs">Directory with the product's programs.</param>
/// <param name="Rounds">How often each comparison is repeated; its median counts.</param>
/// <param name="Say">Progress, for a person.</param>
public sealed record BenchmarkContext(string Programs, int Rounds, Action<string> Say);

/// <summary>The line of JSON that ends each benchmark.</summary>
public static class ResultLine
{
    public static string Of(string name, IReadOnlyList<Figure> figures) => JsonSerializer.Serialize(new
    {
        name,
        figures = figures.ToDictionary(f => f.Name, f => Math.Round(f.Value, 6)),
    });
}
