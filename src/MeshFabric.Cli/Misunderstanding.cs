using System.CommandLine;
using System.CommandLine.Parsing;

namespace MeshFabric.Cli;

/// <summary>What is told when a command line cannot be read: what is wrong, what was probably meant, and where the help is.</summary>
static class Misunderstanding
{
    /// <summary>Typing errors up to which a word is taken for another.</summary>
    const int Near = 3;

    public static string Text(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var lines = new List<string>();
        if (parsed.UnmatchedTokens is [var word, ..])
        {
            var kind = word.StartsWith('-') ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
            var meant = Meant(word, command);
            lines.Add($"mfctl: {(kind == "argument" ? $"'{word}' is one argument too many" : $"there is no {kind} '{word}'")}{(meant.Count > 0 ? $". Did you mean {string.Join(" or ", meant)}?" : "")}");
        }
        else if (command.Subcommands.Count > 0)
        {
            lines.Add($"mfctl: a command is missing after '{Cli.PathOf(command)}': one of {string.Join(", ", command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name))}");
        }
        else
        {
            lines.AddRange(parsed.Errors.Select(e => $"mfctl: {Of(e)}"));
        }

        lines.Add($"  next: {Cli.PathOf(command)} --help");
        return string.Join('\n', lines);
    }

    static string Of(ParseError error) => error.SymbolResult switch
    {
        ArgumentResult { Tokens.Count: 0, Argument: var argument } => $"{argument.Name.ToUpperInvariant()} is missing{(argument.Description is { Length: > 0 } what ? $": {char.ToLowerInvariant(what[0])}{what[1..]}" : "")}",
        OptionResult { Tokens: [var value, ..], Option: { ValueType: var type } option } when type == typeof(int?) => $"{option.Name}: '{value.Value}' is no whole number",
        OptionResult { Implicit: false, IdentifierTokenCount: > 0, Option: var option } when !error.Message.Contains(option.Name, StringComparison.Ordinal) => $"{option.Name}: {error.Message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal)}",
        _ => error.Message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal),
    };

    static List<string> Meant(string word, Command command)
    {
        var known = word.StartsWith('-')
            ? Options(command).Where(o => !o.Hidden).Select(o => o.Name)
            : command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name);
        var near = known.Select(k => (Name: k, Distance: Distance(word, k))).Where(k => k.Distance <= Math.Min(Near, Math.Max(1, word.Length / 2))).ToList();
        return near.Where(k => k.Distance == near.Min(n => n.Distance)).Select(k => $"'{k.Name}'").ToList();
    }

    static IEnumerable<Option> Options(Command command) =>
        command.Options.Concat(command.Parents.OfType<Command>().SelectMany(p => Options(p).Where(o => o.Recursive)));

    /// <summary>Letters to insert, delete, replace or swap with their neighbour to make one word the other.</summary>
    static int Distance(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                cost[i, j] = i == 0 || j == 0 ? i + j : Math.Min(Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1, cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[a.Length, b.Length];
    }
}
