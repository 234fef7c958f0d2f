using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshFabric.Contracts.Http;
using Spectre.Console;
using YamlDotNet.Serialization;

namespace MeshFabric.Cli.Output;

/// <summary>Data to stdout: a table on a terminal, one row a line and never wrapped in a pipe, or the API's objects as JSON or YAML.</summary>
sealed class Printer(Shell shell, string format, bool noHeaders, bool noColor)
{
    static readonly JsonSerializerOptions Indented = new(MeshJson.Options) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public string Format => format;

    /// <summary>True when a person reads a table.</summary>
    public bool IsTable => format is "table" or "wide";

    bool Colours => shell.OutputIsTerminal && !noColor && shell.Given("NO_COLOR") is null && shell.Variable("TERM") != "dumb";

    public void List<T>(View<T> view, IReadOnlyList<T> items) => Print(view, items, items);

    public void One<T>(View<T> view, T item) => Print(view, item, [item]);

    /// <summary>A table of rows that stand for one object of the API.</summary>
    /// <param name="value">What -o json and -o yaml print.</param>
    public void Print<TValue, T>(View<T> view, TValue value, IReadOnlyList<T> rows)
    {
        switch (format)
        {
            case "json":
                shell.Out.WriteLine(JsonSerializer.Serialize(value, Indented));
                break;
            case "yaml":
                shell.Out.Write(Yaml(value));
                break;
            case "name":
                foreach (var row in rows)
                {
                    shell.Out.WriteLine(Clean(view.Name(row)));
                }

                break;
            default:
                var columns = view.Columns.Where(c => !c.Wide || format == "wide").ToList();
                Table(columns.ConvertAll(c => c.Title), [.. rows.Select(r => columns.ConvertAll(c => Cell(c.Cell(r))))]);
                break;
        }
    }

    /// <summary>One object a line, as it comes.</summary>
    public void Line<T>(View<T> view, T item)
    {
        switch (format)
        {
            case "json":
                shell.Out.WriteLine(JsonSerializer.Serialize(item, MeshJson.Options));
                break;
            case "yaml":
                shell.Out.Write($"---\n{Yaml(item)}");
                break;
            case "name":
                shell.Out.WriteLine(Clean(view.Name(item)));
                break;
            default:
                shell.Out.WriteLine(string.Join("  ", view.Columns.Where(c => !c.Wide || format == "wide").Select(c => Cell(c.Cell(item)))));
                break;
        }

        shell.Out.Flush();
    }

    public void Json<T>(T value) => shell.Out.WriteLine(JsonSerializer.Serialize(value, Indented));

    /// <summary>Text of others must not move the cursor, colour the screen or begin a line.</summary>
    public static string Clean(string text) => text.Any(c => char.IsControl(c) && c != '\n')
        ? string.Concat(text.Select(c => char.IsControl(c) && c != '\n' ? '?' : c))
        : text;

    static string Cell(string text) => text.Length == 0 ? "-" : Clean(text).Replace('\n', ' ');

    void Table(List<string> titles, List<List<string>> rows)
    {
        var widths = titles.Select((t, i) => rows.Select(r => r[i].Length).Append(noHeaders ? 0 : t.Length).Max()).ToList();
        if (!shell.OutputIsTerminal)
        {
            foreach (var row in noHeaders ? rows : rows.Prepend(titles))
            {
                shell.Out.WriteLine(string.Join("  ", row.Select((cell, i) => i + 1 < row.Count ? cell.PadRight(widths[i]) : cell)));
            }

            return;
        }

        var table = new Table { Border = TableBorder.None, ShowHeaders = !noHeaders };
        foreach (var title in titles)
        {
            table.AddColumn(new TableColumn(new Text(title, new Style(decoration: Decoration.Bold))) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select(c => new Text(c, new Style(Colour(c)))));
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(shell.Out),
            Ansi = Colours ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = Colours ? ColorSystemSupport.EightBit : ColorSystemSupport.NoColors,
        });
        // As wide as the table: the terminal may wrap, but nothing is cut off silently.
        console.Profile.Width = Math.Max(Math.Min(shell.Width, 1000), widths.Sum(w => w + 2) + 2);
        console.Write(table);
    }

    static Color Colour(string state) => state switch
    {
        "connected" or "ready" or "active" or "ok" or "√ ok" or "info" => Color.Green,
        "connecting" or "progressing" or "pending" or "warning" or "‼ warning" or "skipped" or "- skipped" or "unknown" => Color.Yellow,
        "down" or "unreachable" or "degraded" or "error" or "failed" or "× failed" or "revoked" or "missing" => Color.Red,
        _ => Color.Default,
    };

    static string Yaml<T>(T value) =>
        new SerializerBuilder().WithQuotingNecessaryStrings().WithIndentedSequences().Build().Serialize(Plain(JsonSerializer.SerializeToNode(value, MeshJson.Options)) ?? "").Replace("\r\n", "\n", StringComparison.Ordinal);

    static object? Plain(JsonNode? node) => node switch
    {
        JsonObject o => o.ToDictionary(p => p.Key, p => Plain(p.Value)),
        JsonArray a => a.Select(Plain).ToList(),
        JsonValue v when v.GetValueKind() is JsonValueKind.True or JsonValueKind.False => v.GetValue<bool>(),
        JsonValue v when v.GetValueKind() is JsonValueKind.Number => Number(v),
        JsonValue v => v.ToString(),
        _ => null,
    };

    static object Number(JsonValue value) =>
        long.TryParse(value.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole : double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture);
}
