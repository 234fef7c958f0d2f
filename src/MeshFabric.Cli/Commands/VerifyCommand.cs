using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Cli.Verifying;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl verify A B</c>: everything between two clusters, checked.</summary>
static class VerifyCommand
{
    static readonly View<Check> View = new(c => $"check/{c.Category}/{c.Id}",
        new("CATEGORY", c => c.Category),
        new("CHECK", c => c.Name),
        new("RESULT", c => c.Symbol),
        new("DETAIL", c => c.Detail),
        new("HINT", c => c.Hint ?? ""));

    public static Command Create(Cli cli)
    {
        var a = ClusterCommands.Name(cli, "a", "A cluster");
        var b = ClusterCommands.Name(cli, "b", "Another cluster");
        var count = new Option<int?>("--count", "-c") { HelpName = "N", Description = "Echo requests per tunnel, direction and size, 1 to 100; default 10" };
        var report = new Option<string?>("--junit-report") { HelpName = "FILE", Description = "Write the results as JUnit XML too" };
        var command = new MeshCommand("verify", "Check everything between two clusters: state, addresses, tunnels, gateways, small and full-size packets, loss; exit code 1 when a check failed",
            "mfctl verify aurora borealis",
            "mfctl verify aurora borealis --junit-report verify.xml",
            "mfctl verify aurora borealis -o json | jq '.checks[] | select(.result == \"failed\")'")
        {
            ExtraFormats = ["junit"],
        };
        command.Arguments.Add(a);
        command.Arguments.Add(b);
        command.Options.Add(count);
        command.Options.Add(report);
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            if (session.Get(a) == session.Get(b))
            {
                throw CommandException.Usage("two different clusters are needed");
            }

            var evidence = await Gathering.RunAsync(session, session.Get(a), session.Get(b), session.Get(count) ?? 10, cancellationToken);
            var verification = Verification.Of(evidence);
            if (session.Get(report) is { } file)
            {
                await WriteAsync(file, JUnit.Write(verification), cancellationToken);
            }

            if (session.Printer.Format == "junit")
            {
                await session.Shell.Out.WriteLineAsync(JUnit.Write(verification));
            }
            else
            {
                session.Printer.Print(View, verification, verification.Checks);
            }

            session.Note(verification.Summary);
            return verification.Success ? ExitCode.Ok : ExitCode.Failed;
        }));
        return command;
    }

    static async Task WriteAsync(string file, string text, CancellationToken cancellationToken)
    {
        try
        {
            await File.WriteAllTextAsync(file, text + "\n", cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommandException.Usage($"--junit-report {file} cannot be written: {e.Message}");
        }
    }
}
