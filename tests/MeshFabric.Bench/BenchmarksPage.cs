using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MeshFabric.Bench;

/// <summary>docs/benchmarks.md: one section a benchmark, replaced when it is run again.</summary>
sealed class BenchmarksPage(string file)
{
    const string Head = """
        # Benchmarks

        Written by `make bench`; `make bench ONLY=NAME` runs one and replaces its section. The machine is shared: read ratios, not megabits. A figure with a limit says whether it was reached in this run.

        """;

    public void Write(IBenchmark benchmark, IReadOnlyList<Figure> figures, int rounds, DateTimeOffset at)
    {
        var page = File.Exists(file) ? File.ReadAllText(file) : Head;
        var section = Section(benchmark, figures, rounds, at);
        var old = new Regex($@"<!-- {benchmark.Name} -->.*?<!-- /{benchmark.Name} -->\n", RegexOptions.Singleline);
        File.WriteAllText(file, old.IsMatch(page) ? old.Replace(page, _ => section) : page.TrimEnd('\n') + "\n\n" + section);
    }

    static string Section(IBenchmark benchmark, IReadOnlyList<Figure> figures, int rounds, DateTimeOffset at)
    {
        var text = new StringBuilder($"<!-- {benchmark.Name} -->\n## {benchmark.Name}\n\n{benchmark.Description}\n\n| Figure | Value | Limit |\n|---|---|---|\n");
        foreach (var figure in figures)
        {
            var verdict = figure.IsReached switch { true => $"{figure.Limit}, reached", false => $"{figure.Limit}, **missed**", null => "" };
            text.Append(CultureInfo.InvariantCulture, $"| {figure.Name} | {figure.Text} | {verdict} |\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"\n`make bench ONLY={benchmark.Name}`, {rounds} rounds, {at:yyyy-MM-dd}, {Environment.ProcessorCount} processors.\n<!-- /{benchmark.Name} -->\n");
        return text.ToString();
    }
}
