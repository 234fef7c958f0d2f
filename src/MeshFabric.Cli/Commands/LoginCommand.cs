using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl login</c>: checks a token and keeps it in a context.</summary>
static class LoginCommand
{
    public static Command Create(Cli cli)
    {
        var server = new Argument<string?>("server") { Description = "URL of the control service; default: --server", Arity = ArgumentArity.ZeroOrOne };
        var name = new Option<string?>("--name") { HelpName = "NAME", Description = "Name of the context to keep it in; default: --context, else 'default'" };
        var command = new MeshCommand("login", "Log in: check a token and keep it in a context, which becomes the current one",
            "mfctl login https://mesh.example.org:8443 --token-file admin.token --ca-file ca.crt",
            "pass show mesh | mfctl login https://mesh.example.org:8443 --token-file - --ca-file ca.crt --name production")
        {
            server, name,
        };
        command.SetAction(cli.Local(async (run, cancellationToken) =>
        {
            var contexts = Contexts.Load(run.Shell);
            var context = run.Get(name) ?? (run.ContextName(contexts) is { Length: > 0 } current && run.Get(cli.Global.Context) is not null ? current : "default");
            var stored = contexts.All.GetValueOrDefault(context);
            var url = run.Get(server) ?? run.ServerGiven ?? stored?.Server ?? throw CommandException.Usage("which control service? Write its URL, such as https://HOST:8443");
            var authority = run.AuthorityFileGiven is { } file ? await run.ReadAsync(file, cancellationToken)
                : stored?.Server == url.TrimEnd('/') ? stored.CertificateAuthority
                : throw CommandException.Usage("the mesh's CA certificate is needed to know the server: add --ca-file FILE");
            var token = await TokenAsync(run, cancellationToken);
            var found = new MeshContext(Invocation.Url(url), authority, token);
            using var client = run.Connect(found);
            var caller = await client.GetCallerAsync(cancellationToken);
            contexts.All[context] = found;
            (contexts with { Current = context }).Save(run.Shell);
            run.Note($"logged in to {found.Server} as {caller.Name} ({caller.Role}), context {context}");
            return ExitCode.Ok;
        }));
        return command;
    }

    static async Task<string> TokenAsync(Invocation run, CancellationToken cancellationToken)
    {
        var text = run.TokenFileGiven is { } file ? await run.ReadAsync(file, cancellationToken)
            : run.Shell.InputIsTerminal ? await run.Shell.ReadSecretAsync("API token: ", cancellationToken)
            : throw CommandException.Usage("an API token is needed and standard input is no terminal: add --token-file FILE (- reads standard input)");
        return text.Trim() is { Length: > 0 } token ? token : throw CommandException.Usage("the API token is empty");
    }
}

/// <summary><c>mfctl logout</c>: forgets the token.</summary>
static class LogoutCommand
{
    public static Command Create(Cli cli)
    {
        var command = new MeshCommand("logout", "Forget the token of a context; server and CA stay. The token itself lives on: see api-token revoke",
            "mfctl logout",
            "mfctl logout --context production");
        command.SetAction(cli.Local((run, _) =>
        {
            var contexts = Contexts.Load(run.Shell);
            var name = run.ContextName(contexts);
            var context = contexts.Get(name);
            contexts.All[name] = context with { Token = "" };
            contexts.Save(run.Shell);
            run.Note($"logged out of {context.Server}, context {name}");
            return Task.FromResult(ExitCode.Ok);
        }));
        return command;
    }
}

/// <summary><c>mfctl whoami</c>: who the server takes the caller for.</summary>
static class WhoAmICommand
{
    static readonly View<CallerResource> Caller = new(c => $"api-token/{c.Name}",
        new("NAME", c => c.Name),
        new("ROLE", c => c.Role),
        new("EXPIRES", c => c.ExpiresAt is null ? "never" : Figures.At(c.ExpiresAt)),
        new("TOKEN-ID", c => c.TokenId, Wide: true));

    public static Command Create(Cli cli)
    {
        var command = new MeshCommand("whoami", "Show who one is for the server, and in which role",
            "mfctl whoami",
            "mfctl whoami --context production -o json");
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            session.Printer.One(Caller, await session.Client.GetCallerAsync(cancellationToken));
            session.Note($"at {session.Context.Server}");
            return ExitCode.Ok;
        }));
        return command;
    }
}
