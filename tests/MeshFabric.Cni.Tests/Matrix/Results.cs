using System.Text;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>What came of the checks, as the table in docs/compatibility.md. <c>UPDATE_COMPATIBILITY=1</c> writes it there; what was not asked this time stays.</summary>
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

        Former(text[(from + From.Length)..to]);
        File.WriteAllText(file, $"{text[..(from + From.Length)]}\n\n{Table()}\n{text[to..]}");
    }

    void Former(string table)
    {
        var lines = table.Split('\n').Where(l => l.StartsWith('|')).Select(l => l.Split('|')[1..^1].Select(c => c.Trim()).ToArray()).ToList();
        foreach (var line in lines.Skip(2))
        {
            foreach (var (plugin, cell) in lines[0].Zip(line).Skip(1))
            {
                _cells.TryAdd((plugin, line[0]), cell);
            }
        }
    }

    /// <summary>One line a check, one column a plug-in.</summary>
    public string Table()
    {
        var plugins = MatrixMesh.AllRows.Where(p => _cells.Keys.Any(k => k.Plugin == p)).ToList();
        var text = new StringBuilder($"| | {string.Join(" | ", plugins)} |\n|---|{string.Concat(plugins.Select(_ => "---|"))}\n");
        foreach (var (check, _) in Checks.All)
        {
            text.Append($"| {check} | {string.Join(" | ", plugins.Select(p => _cells.GetValueOrDefault((p, check), "")))} |\n");
        }

        return text.ToString();
    }
}
