using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshFabric.Contracts.Http;
using Spectre.Console;
using YamlDotNet.Serialization;

namespace MeshFabric.Cli.Output;

/// <summary>Data to stdout: a table on a terminal, one row a line and never wrapped in a pipe, or the API's objects as JSON or YAML.</summary>
static class Printer
{
    static readonly JsonSerializerOptions Indented = new(MeshJson.Options) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Print<T>(string format, T value, string[] columns, IEnumerable<string[]> rows)
    {
        switch (format)
        {
            case "json":
                Console.WriteLine(JsonSerializer.Serialize(value, Indented));
                break;
            case "yaml":
                Console.Write(new SerializerBuilder().Build().Serialize(Plain(JsonSerializer.SerializeToNode(value, MeshJson.Options)) ?? ""));
                break;
            default:
                Table(columns, rows.ToList());
                break;
        }
    }

    static void Table(string[] columns, List<string[]> rows)
    {
        if (Console.IsOutputRedirected)
        {
            var widths = columns.Select((c, i) => rows.Select(r => r[i].Length).Append(c.Length).Max()).ToArray();
            foreach (var row in rows.Prepend(columns))
            {
                Console.WriteLine(string.Join("  ", row.Select((cell, i) => i + 1 < row.Length ? cell.PadRight(widths[i]) : cell)));
            }

            return;
        }

        var table = new Table { Border = TableBorder.None, ShowRowSeparators = false };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select(c => new Text(c, new Style(Colour(c)))));
        }

        AnsiConsole.Write(table);
    }

    static Color Colour(string state) => state switch
    {
        "connected" or "ready" or "active" or "pass" => Color.Green,
        "connecting" or "progressing" or "pending" or "warning" => Color.Yellow,
        "down" or "unreachable" or "degraded" or "error" or "fail" => Color.Red,
        _ => Color.Default,
    };

    static object? Plain(JsonNode? node) => node switch
    {
        JsonObject o => o.ToDictionary(p => p.Key, p => Plain(p.Value)),
        JsonArray a => a.Select(Plain).ToList(),
        JsonValue v when v.TryGetValue<bool>(out var b) => b,
        JsonValue v when v.TryGetValue<long>(out var l) => l,
        JsonValue v when v.TryGetValue<double>(out var d) => d,
        JsonValue v => v.ToString(),
        _ => null,
    };
}
