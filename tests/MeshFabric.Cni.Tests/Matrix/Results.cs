using System.Text;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>What came of the checks, as the table in docs/compatibility.md. <c>UPDATE_COMPATIBILITY=1</c> writes it there.</summary>
sealed class Results
{
    const string From = "<!-- results -->";
    const string To = "<!-- /results -->";

    readonly Dictionary<(string Plugin, string Check), string> _cells = [];

    public void Add(string plugin, string check, string result) => _cells[(plugin, check)] = result;

    public void Write()
    {
        if (Environment.GetEnvironmentVariable("UPDATE_COMPATIBILITY") != "1")
        {
            return;
        }

        var file = Path.Combine(Checkout.Root, "docs", "compatibility.md");
        var text = File.ReadAllText(file);
        var (from, to) = (text.IndexOf(From, StringComparison.Ordinal), text.IndexOf(To, StringComparison.Ordinal));
        if (from < 0 || to < from)
        {
            throw new InvalidOperationException($"{file} has no place for the table: {From} and {To}");
        }

        File.WriteAllText(file, $"{text[..(from + From.Length)]}\n\n{Table()}\n{text[to..]}");
    }

    /// <summary>One line a check, one column a plug-in.</summary>
    public string Table()
    {
        var plugins = MatrixMesh.Rows.Where(p => _cells.Keys.Any(k => k.Plugin == p)).ToList();
        var text = new StringBuilder($"| | {string.Join(" | ", plugins)} |\n|---|{string.Concat(plugins.Select(_ => "---|"))}\n");
        foreach (var (check, _) in Checks.All)
        {
            text.Append($"| {check} | {string.Join(" | ", plugins.Select(p => _cells.GetValueOrDefault((p, check), "")))} |\n");
        }

        return text.ToString();
    }
}
