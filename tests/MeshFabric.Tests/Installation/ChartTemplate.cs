using System.Text;
using System.Text.RegularExpressions;

namespace MeshFabric.Tests.Installation;

/// <summary>
/// The part of Helm's template language that our chart keeps to: fields, strings, pipes, if, else and end with trimmed white space, and a handful of functions.
/// Whatever else stands in a template is an error, so that the chart cannot grow out of what is tested.
/// </summary>
sealed partial class ChartTemplate(IReadOnlyDictionary<string, object?> root)
{
    readonly List<(bool Active, bool Taken)> _blocks = [];

    bool Writes => _blocks.TrueForAll(b => b.Active);

    public string Render(string template)
    {
        var output = new StringBuilder();
        var from = 0;
        foreach (Match action in Action().Matches(template))
        {
            Write(output, template[from..action.Index]);
            Run(output, action.Groups["code"].Value);
            from = action.Index + action.Length;
        }

        Write(output, template[from..]);
        return _blocks.Count == 0 ? output.ToString() : throw new FormatException("an end is missing");
    }

    void Write(StringBuilder output, string text)
    {
        if (Writes)
        {
            output.Append(text);
        }
    }

    void Run(StringBuilder output, string code)
    {
        switch (code.Split(' ', 2))
        {
            case ["if", var condition]:
                var holds = Writes && Truth(Pipe(condition));
                _blocks.Add((holds, holds));
                break;
            case ["else"]:
                _blocks[^1] = (!_blocks[^1].Taken, true);
                break;
            case ["end"]:
                _blocks.RemoveAt(_blocks.Count - 1);
                break;
            default:
                if (Writes)
                {
                    output.Append(Pipe(code));
                }

                break;
        }
    }

    object? Pipe(string code)
    {
        object? value = null;
        foreach (var (step, i) in code.Split('|', StringSplitOptions.TrimEntries).Select((s, i) => (s, i)))
        {
            var words = Word().Matches(step).Select(m => m.Value).ToList();
            if (string.Concat(words) != step.Replace(" ", "", StringComparison.Ordinal) && !step.Contains('"'))
            {
                throw new FormatException($"not understood: {step}");
            }

            var given = words.Skip(IsValue(words[0]) ? 0 : 1).Select(Value).ToList();
            if (i > 0)
            {
                given.Add(value);
            }

            value = IsValue(words[0]) ? given.Single() : Call(words[0], given);
        }

        return value;
    }

    static bool IsValue(string word) => word[0] is '.' or '"';

    object? Value(string word) => word[0] == '"' ? word[1..^1] : word[1..].Split('.').Aggregate((object?)root, (o, name) => ((IReadOnlyDictionary<string, object?>)o!)[name]);

    static object? Call(string function, List<object?> given) => (function, given) switch
    {
        ("quote", [var value]) => $"\"{value}\"",
        ("b64enc", [string value]) => Convert.ToBase64String(Encoding.UTF8.GetBytes(value)),
        ("join", [string separator, IEnumerable<string> items]) => string.Join(separator, items),
        ("default", [var otherwise, var value]) => Truth(value) ? value : otherwise,
        ("required", [string message, var value]) => Truth(value) ? value : throw new InvalidOperationException(message),
        ("fail", [string message]) => throw new InvalidOperationException(message),
        ("not", [var value]) => !Truth(value),
        ("ne", [var a, var b]) => !Equals(a, b),
        _ => throw new FormatException($"{function} of {given.Count} is not in the part of the language that the chart keeps to"),
    };

    static bool Truth(object? value) => value switch
    {
        null => false,
        bool b => b,
        string s => s.Length > 0,
        int i => i != 0,
        IEnumerable<string> items => items.Any(),
        _ => true,
    };

    // A hyphen beside the braces takes all white space before or after them along.
    [GeneratedRegex(@"(?:\s*\{\{- |\{\{ )(?<code>[^{}]*?)(?: -\}\}\s*| \}\})")]
    private static partial Regex Action();

    [GeneratedRegex("\"[^\"]*\"|[^ ]+")]
    private static partial Regex Word();
}
