using System.Text.RegularExpressions;

namespace MeshFabric.Tests.Repository;

public sealed partial class ErrorCodesTests
{
    [Fact]
    public void The_codes_of_problems_in_the_code_and_on_the_page_are_the_same()
    {
        var root = Repo.Root;
        var code = Directory.GetFiles(Path.Combine(root, "src", "MeshFabric.Control"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => InCode().Matches(File.ReadAllText(file))).Select(m => m.Groups["code"].Value.Replace("{status}", "NNN", StringComparison.Ordinal));
        var page = OnPage().Matches(File.ReadAllText(Path.Combine(root, "docs", "errors.md"))).Select(m => m.Groups["code"].Value);

        Assert.Equal(code.Distinct().Order(StringComparer.Ordinal), page.Order(StringComparer.Ordinal));
    }

    // However a refusal is made, its code is the first text: after the status, when there is one.
    [GeneratedRegex("""(?:(?:Refusal|new)\(\s*(?:StatusCodes\.\w+|status),\s*|(?:Conflict|Unavailable|Unauthorized)\(\s*)\$?"(?<code>[a-z]+(?:-(?:[a-z]+|\{status\}))*)",\s*\$?["(]""")]
    private static partial Regex InCode();

    [GeneratedRegex("""^\| `(?<code>[a-zN-]+)` \|""", RegexOptions.Multiline)]
    private static partial Regex OnPage();
}
