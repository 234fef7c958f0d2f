using System.CommandLine;
using System.Text;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl docs</c>, hidden: writes docs/cli.md from the commands themselves.</summary>
static class DocsCommand
{
    public static Command Create(Cli cli)
    {
        var command = new MeshCommand("docs", "Print the reference of every command as Markdown", "mfctl docs > docs/cli.md");
        command.Hidden = true;
        command.SetAction(cli.Local(async (run, _) =>
        {
            await run.Shell.Out.WriteAsync(Write(cli));
            return ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>The whole page.</summary>
    public static string Write(Cli cli)
    {
        var text = new StringBuilder();
        text.AppendLine("""
            # mfctl

            Written by `mfctl docs` from the commands themselves; a test holds it. Data goes to stdout, progress and errors to stderr.

            Tables are for people and may gain columns; `-o json` and `-o yaml` print the objects of the REST API, `-o name` one KIND/NAME a line. In a pipe a table has one row a line, padded, never cut off or wrapped. Durations are `90` (seconds), `45s`, `5m30s`, `12h`, `7d`. Contexts are kept in `$XDG_CONFIG_HOME/meshfabric/config.json` (`MESHFABRIC_CONFIG` names another file), readable by its owner only.

            ## Exit codes

            | Code | Means |
            |---|---|
            """);
        foreach (var (code, meaning) in ExitCode.Meanings)
        {
            text.AppendLine($"| {code} | {meaning} |");
        }

        text.AppendLine("""

            An error says what failed, where (address:port and the server's code and request id), and what to run next.

            ## Options of every command

            The command line wins over the environment variable in brackets, and that over the context.

            | Option | Does |
            |---|---|
            """);
        Options(text, cli.Global.All);
        foreach (var command in Leaves(cli.Root))
        {
            Describe(text, command);
        }

        return text.ToString().ReplaceLineEndings("\n");
    }

    static IEnumerable<MeshCommand> Leaves(Command parent) => parent.Subcommands.OfType<MeshCommand>().Where(c => !c.Hidden)
        .SelectMany(c => c.Subcommands.Count > 0 ? Leaves(c) : [c]);

    static void Describe(StringBuilder text, MeshCommand command)
    {
        var arguments = string.Concat(command.Arguments.Select(a => a.Arity.MinimumNumberOfValues == 0 ? $" [{a.Name.ToUpperInvariant()}]" : $" {a.Name.ToUpperInvariant()}"));
        text.AppendLine().AppendLine($"## {Cli.PathOf(command)}").AppendLine()
            .AppendLine($"{Cell(command.Description)}.").AppendLine()
            .AppendLine("```").AppendLine($"{Cli.PathOf(command)}{arguments} [options]").AppendLine("```");
        if (command.Arguments.Count > 0 || command.Options.Count > 0)
        {
            text.AppendLine().AppendLine("| Argument or option | Does |").AppendLine("|---|---|");
            foreach (var argument in command.Arguments)
            {
                text.AppendLine($"| `{argument.Name.ToUpperInvariant()}` | {Cell(argument.Description)} |");
            }

            Options(text, command.Options);
        }

        text.AppendLine().AppendLine("Examples:").AppendLine().AppendLine("```");
        foreach (var example in command.Examples)
        {
            text.AppendLine(example);
        }

        text.AppendLine("```");
    }

    static void Options(StringBuilder text, IEnumerable<Option> options)
    {
        foreach (var option in options.Where(o => !o.Hidden))
        {
            var names = string.Join(", ", option.Aliases.OrderBy(a => a.Length).Append(option.Name).Distinct().Select(n => $"`{n}`"));
            text.AppendLine($"| {names}{(option.HelpName is { } value ? $" `{value}`" : "")} | {Cell(option.Description)}{(option.Required ? " (required)" : "")} |");
        }
    }

    static string Cell(string? text) => (text ?? "").Replace("|", "\\|", StringComparison.Ordinal);
}
