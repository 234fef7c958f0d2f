using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace MeshFabric.Cli;

/// <summary>The library's help, and the command's examples below it.</summary>
sealed class HelpWithExamples : SynchronousCommandLineAction
{
    readonly HelpAction _help;

    public HelpWithExamples(HelpAction help, int width)
    {
        _help = help;
        _help.MaxWidth = width;
    }

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var code = _help.Invoke(parseResult);
        var examples = parseResult.CommandResult.Command is MeshCommand command ? command.Examples : Cli.Examples;
        var output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Examples:");
        foreach (var example in examples)
        {
            output.WriteLine($"  {example}");
        }

        if (parseResult.CommandResult.Command is RootCommand)
        {
            output.WriteLine("\nExit codes:");
            foreach (var (exit, meaning) in ExitCode.Meanings)
            {
                output.WriteLine($"  {exit,-4} {meaning}");
            }
        }

        return code;
    }
}
