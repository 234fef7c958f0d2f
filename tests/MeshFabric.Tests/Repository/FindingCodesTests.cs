using System.Text.RegularExpressions;

namespace MeshFabric.Tests.Repository;

public sealed partial class FindingCodesTests
{
    [Fact]
    public void The_codes_of_findings_in_the_code_and_on_the_page_are_the_same()
    {
        var code = Directory.GetFiles(Path.Combine(Repo.Root, "src"), "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("MeshFabric.Cli", StringComparison.Ordinal))
            .SelectMany(file => InCode().Matches(File.ReadAllText(file))).Select(m => m.Groups["code"].Value).Distinct();
        var page = OnPage().Matches(Repo.Text("docs/findings.md")).Select(m => m.Groups["code"].Value);
        Assert.Equal(page.Order(StringComparer.Ordinal), code.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex("""(?:FindingSeverity\.\w+|Error|Warning)\(?,?\s*"(?<code>[a-z]+(?:-[a-z]+)+)",""")]
    private static partial Regex InCode();

    [GeneratedRegex("""^\| `(?<code>[a-z-]+)` \|""", RegexOptions.Multiline)]
    private static partial Regex OnPage();
}
