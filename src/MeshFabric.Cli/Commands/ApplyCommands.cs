using System.CommandLine;
using MeshFabric.Cli.Declaring;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl apply</c> and <c>mfctl diff</c>: what is declared in files.</summary>
static class ApplyCommands
{
    public static Command Apply(Cli cli)
    {
        var files = Files();
        var dryRun = new Option<string?>("--dry-run") { HelpName = "server", Description = "Only show what would change: which tunnels appear and go, and who reaches whom in another way", Arity = ArgumentArity.ZeroOrOne };
        dryRun.CompletionSources.Add("server");
        var noWait = new Option<bool>("--no-wait") { Description = "Do not wait until all gateways that are heard of run it" };
        var command = new MeshCommand("apply", "Make what files declare so, all of it or nothing: the topology of the mesh, labels of clusters",
            "mfctl apply -f topology.yaml",
            "mfctl apply -f topology.yaml --dry-run",
            "mfctl topology get -o yaml > topology.yaml; vi topology.yaml; mfctl apply -f topology.yaml")
        {
            files, dryRun, noWait,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var isDryRun = session.IsGiven(dryRun);
            var result = await RunAsync(session, session.Get(files)!, isDryRun, cancellationToken);
            if (!isDryRun && !session.Get(noWait) && Difference.IsAny(result))
            {
                await GatewayCommands.AppliedAsync(session, cancellationToken);
            }

            session.Printer.Print(Difference.View, result, Difference.Of(result));
            result.Warnings.ToList().ForEach(session.Warn);
            session.Note(Difference.Summary(result) + (isDryRun ? " (dry run: nothing was changed)" : ""));
            return ExitCode.Ok;
        }));
        return command;
    }

    public static Command Diff(Cli cli)
    {
        var files = Files();
        var command = new MeshCommand("diff", "Show what applying files would change; ends with 1 when it is anything",
            "mfctl diff -f topology.yaml",
            "mfctl diff -f topology.yaml -o json")
        {
            files,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var result = await RunAsync(session, session.Get(files)!, isDryRun: true, cancellationToken);
            session.Printer.Print(Difference.View, result, Difference.Of(result).Where(d => d.Change != "=").ToList());
            result.Warnings.ToList().ForEach(session.Warn);
            session.Note(Difference.Summary(result));
            return Difference.IsAny(result) ? ExitCode.Failed : ExitCode.Ok;
        }));
        return command;
    }

    static Option<string[]> Files() => new("--filename", "-f") { HelpName = "FILE", Description = "YAML or JSON, of one or more manifests; - for standard input; repeat for several", Required = true };

    static async Task<ApplyResult> RunAsync(Session session, string[] files, bool isDryRun, CancellationToken cancellationToken) =>
        await session.Client.ApplyManifestsAsync(new ApplyManifests(await ManifestFiles.ReadAsync(files, session.Shell.In, cancellationToken)), isDryRun, cancellationToken);
}
