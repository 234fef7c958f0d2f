using System.CommandLine;
using MeshFabric.Cli.Output;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl context</c>: meshes one is logged in to.</summary>
static class ContextCommands
{
    sealed record Shown(string Name, string Server, bool Current, bool LoggedIn);

    static readonly View<Shown> View = new(c => $"context/{c.Name}",
        new("CURRENT", c => c.Current ? "*" : ""),
        new("NAME", c => c.Name),
        new("SERVER", c => c.Server),
        new("LOGGED-IN", c => c.LoggedIn ? "yes" : "no", Wide: true));

    public static Command Create(Cli cli) => new MeshCommand("context", "Meshes one is logged in to", "mfctl context list", "mfctl context use production")
    {
        List(cli), Use(cli), Set(cli), Delete(cli),
    };

    static Command List(Cli cli)
    {
        var command = new MeshCommand("list", "List contexts", "mfctl context list", "mfctl context list -o name");
        command.SetAction(cli.Local((run, _) =>
        {
            var contexts = Contexts.Load(run.Shell);
            run.Printer.List(View, contexts.All.OrderBy(c => c.Key, StringComparer.Ordinal)
                .Select(c => new Shown(c.Key, c.Value.Server, c.Key == run.ContextName(contexts), c.Value.Token.Length > 0)).ToList());
            return Task.FromResult(ExitCode.Ok);
        }));
        return command;
    }

    static Command Use(Cli cli)
    {
        var name = Name(cli);
        var command = new MeshCommand("use", "Make a context the current one", "mfctl context use production") { name };
        command.SetAction(cli.Local((run, _) =>
        {
            var contexts = Contexts.Load(run.Shell);
            contexts.Get(run.Get(name));
            (contexts with { Current = run.Get(name) }).Save(run.Shell);
            run.Note($"context {run.Get(name)} is the current one");
            return Task.FromResult(ExitCode.Ok);
        }));
        return command;
    }

    static Command Set(Cli cli)
    {
        var name = Name(cli);
        var command = new MeshCommand("set", "Make or change a context by --server, --ca-file and --token-file, without asking the server",
            "mfctl context set production --server https://mesh.example.org:8443 --ca-file ca.crt --token-file admin.token",
            "mfctl context set production --server https://mesh2.example.org:8443")
        {
            name,
        };
        command.SetAction(cli.Local(async (run, cancellationToken) =>
        {
            // Only what was typed: a variable of the environment must not change what is stored.
            if (run.TypedServer is null && run.TypedAuthorityFile is null && run.TypedTokenFile is null)
            {
                throw CommandException.Usage("nothing to set: give at least one of --server, --ca-file and --token-file");
            }

            var contexts = Contexts.Load(run.Shell);
            var old = contexts.All.GetValueOrDefault(run.Get(name));
            if (old is null && (run.TypedServer is null || run.TypedAuthorityFile is null))
            {
                throw CommandException.Usage($"a new context needs --server and --ca-file");
            }

            contexts.All[run.Get(name)] = new MeshContext(
                run.TypedServer is { } server ? Invocation.Url(server) : old!.Server,
                run.TypedAuthorityFile is { } authority ? await run.ReadAsync(authority, cancellationToken) : old!.CertificateAuthority,
                run.TypedTokenFile is { } token ? (await run.ReadAsync(token, cancellationToken)).Trim() : old?.Token ?? "");
            (contexts.Current.Length == 0 ? contexts with { Current = run.Get(name) } : contexts).Save(run.Shell);
            run.Note($"context {run.Get(name)} is set");
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Delete(Cli cli)
    {
        var name = Name(cli);
        var command = new MeshCommand("delete", "Forget a context and its token", "mfctl context delete production") { name };
        command.SetAction(cli.Local((run, _) =>
        {
            var contexts = Contexts.Load(run.Shell);
            contexts.Get(run.Get(name));
            contexts.All.Remove(run.Get(name));
            (contexts.Current == run.Get(name) ? contexts with { Current = contexts.All.Keys.Order(StringComparer.Ordinal).FirstOrDefault("") } : contexts).Save(run.Shell);
            run.Note($"context {run.Get(name)} is forgotten");
            return Task.FromResult(ExitCode.Ok);
        }));
        return command;
    }

    static Argument<string> Name(Cli cli)
    {
        var name = new Argument<string>("name") { Description = "Name of the context" };
        name.CompletionSources.Add(cli.Names.Contexts);
        return name;
    }
}
