using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using MeshFabric.Cli.Asking;
using MeshFabric.Cli.Commands;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli;

/// <summary>The command line: what it accepts, and how failures become messages and exit codes.</summary>
sealed class Cli
{
    public Cli(Shell shell)
    {
        Shell = shell;
        Names = new Names(this);
        Root = new RootCommand("Administers a MeshFabric mesh: clusters, gateways, tunnels and addresses, over the REST API.")
        {
            HelpName = "mfctl",
        };
        foreach (var option in Global.All)
        {
            Root.Options.Add(option);
        }

        Command[] commands =
        [
            LoginCommand.Create(this), LogoutCommand.Create(this), WhoAmICommand.Create(this), ContextCommands.Create(this),
            StatusCommand.Create(this), ClusterCommands.Create(this), GatewayCommands.Create(this), TunnelCommands.Create(this), LinkCommands.Create(this), TopologyCommands.Create(this), IpamCommands.Create(this),
            ApplyCommands.Apply(this), ApplyCommands.Diff(this),
            TokenCommands.Create(this), ApiTokenCommands.Create(this),
            PingCommand.Create(this), VerifyCommand.Create(this), ExplainCommand.Create(this), EventsCommand.Create(this),
            CompletionCommands.Create(this), CompletionCommands.Complete(this), VersionCommand.Create(this), DocsCommand.Create(this),
        ];
        foreach (var command in commands)
        {
            Root.Subcommands.Add(command);
            NameArguments(command);
        }

        // Without the aliases of another system, /h and /?.
        Root.Options.Remove(Root.Options.OfType<HelpOption>().Single());
        var help = new HelpOption("--help", "-h", "-?");
        help.Action = new HelpWithExamples((HelpAction)help.Action!, shell.Width);
        Root.Options.Add(help);
    }

    public static readonly string[] Examples =
    [
        "mfctl login https://mesh.example.org:8443 --token-file admin.token --ca-file ca.crt",
        "mfctl cluster join aurora --pod-cidr 10.10.0.0/16 --gateway gw1=198.51.100.1:51820 --via 'ssh root@{gateway}' --wait",
        "mfctl status --wait",
        "mfctl verify aurora borealis",
    ];

    public Shell Shell { get; }
    public GlobalOptions Global { get; } = new();
    public Names Names { get; }
    public RootCommand Root { get; }

    public async Task<int> RunAsync(IReadOnlyList<string> args, CancellationToken cancellationToken = default)
    {
        var parsed = Root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is ParseErrorAction)
        {
            await Shell.Error.WriteLineAsync(Misunderstanding.Text(parsed));
            return ExitCode.Usage;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, Output = Shell.Out, Error = Shell.Error }, cancellationToken);
    }

    /// <summary>An action that needs no server.</summary>
    public Func<ParseResult, CancellationToken, Task<int>> Local(Func<Invocation, CancellationToken, Task<int>> action) =>
        Guard((result, cancellationToken) => action(new Invocation(Shell, Global, result), cancellationToken));

    /// <summary>An action that is logged in.</summary>
    public Func<ParseResult, CancellationToken, Task<int>> Remote(Func<Session, CancellationToken, Task<int>> action) => Guard(async (result, cancellationToken) =>
    {
        var context = await new Invocation(Shell, Global, result).ContextAsync(cancellationToken);
        using var session = new Session(Shell, Global, result, context);
        return await action(session, cancellationToken);
    });

    /// <summary>mfctl NOUN VERB.</summary>
    public static string PathOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{PathOf(parent)} {command.Name}" : "mfctl";

    // Without a name of its own an argument is shown in the help as the list of its completions: the server would be asked, and answer with every name there is.
    static void NameArguments(Command command)
    {
        foreach (var argument in command.Arguments)
        {
            argument.HelpName ??= argument.Name;
        }

        foreach (var subcommand in command.Subcommands)
        {
            NameArguments(subcommand);
        }
    }

    Func<ParseResult, CancellationToken, Task<int>> Guard(Func<ParseResult, CancellationToken, Task<int>> action) => async (result, cancellationToken) =>
    {
        try
        {
            return await action(result, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }
        catch (Exception e) when (e is CommandException or MeshApiException or MeshUnreachableException)
        {
            var failure = Failure.Of(e);
            await Shell.Error.WriteLineAsync(failure.Text);
            return failure.ExitCode;
        }
    };
}
