using System.Text.RegularExpressions;

namespace MeshFabric.Tests.Repository;

/// <summary>Names of metrics are part of the interface: dashboards and alerts are built on them.</summary>
public sealed partial class MetricNamesTests
{
    [Fact]
    public void The_metrics_in_the_code_and_on_the_page_are_the_same()
    {
        var code = Directory.GetFiles(Path.Combine(Repo.Root, "src"), "*Metrics.cs", SearchOption.AllDirectories)
            .SelectMany(file => InCode().Matches(File.ReadAllText(file))).Select(m => m.Groups["name"].Value).Distinct().Order(StringComparer.Ordinal);
        var page = OnPage().Matches(Repo.Text("docs/metrics.md")).Select(m => m.Groups["name"].Value).Order(StringComparer.Ordinal);
        Assert.Equal(code, page);
    }

    [GeneratedRegex("""meter\.Create\w+\("(?<name>[a-z_]+)""")]
    private static partial Regex InCode();

    [GeneratedRegex("""^\| `(?<name>[a-z_]+)` \|""", RegexOptions.Multiline)]
    private static partial Regex OnPage();
}
