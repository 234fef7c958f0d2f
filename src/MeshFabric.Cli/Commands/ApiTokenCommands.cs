using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl api-token</c>: secrets that admit to the REST API.</summary>
static class ApiTokenCommands
{
    static readonly string[] Roles = ["viewer", "operator", "admin"];

    static readonly View<ApiTokenResource> View = new(t => $"api-token/{t.Metadata.Name}",
        new("NAME", t => t.Metadata.Name),
        new("ROLE", t => t.Spec.Role),
        new("STATE", t => t.Status.State),
        new("EXPIRES", t => t.Spec.ExpiresAt is null ? "never" : Figures.At(t.Spec.ExpiresAt)),
        new("LAST-USED", t => t.Status.LastUsedAt is null ? "never" : Figures.At(t.Status.LastUsedAt)),
        new("ID", t => t.Metadata.Uid, Wide: true),
        new("CREATED", t => Figures.At(t.Metadata.CreatedAt), Wide: true),
        new("DESCRIPTION", t => t.Spec.Description, Wide: true));

    public static Command Create(Cli cli) => new MeshCommand("api-token", "API tokens: secrets that admit to the REST API, for admins", "mfctl api-token create ci --role operator --expires 90d", "mfctl api-token list")
    {
        Make(cli), List(cli), Revoke(cli),
    };

    static Command Make(Cli cli)
    {
        var name = new Argument<string>("name") { Description = "Name of the token; the audit names callers by it" };
        var role = new Option<string>("--role") { HelpName = "ROLE", Description = "viewer, operator or admin; each may do what those before it may", Required = true };
        role.AcceptOnlyFromAmong(Roles);
        role.HelpName = "ROLE";
        var expires = new Option<TimeSpan?>("--expires") { HelpName = "DURATION", Description = "How long it is valid, such as 12h or 90d; default: for ever", CustomParser = Duration.Parse };
        var description = new Option<string?>("--description") { HelpName = "TEXT", Description = "What it is for" };
        var command = new MeshCommand("create", "Make an API token; it is shown once",
            "mfctl api-token create ci --role operator --expires 90d",
            "mfctl api-token create dashboard --role viewer > dashboard.token")
        {
            name, role, expires, description,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var token = await session.Client.CreateApiTokenAsync(new CreateApiToken(session.Get(name), session.Get(role), (int?)session.Get(expires)?.TotalSeconds, session.Get(description)), cancellationToken);
            if (session.Printer.IsTable)
            {
                await session.Shell.Out.WriteLineAsync(token.Status.Token);
            }
            else
            {
                session.Printer.One(View, token);
            }

            session.Note($"API token {token.Metadata.Name} ({token.Spec.Role}) is valid {(token.Spec.ExpiresAt is null ? "until it is revoked" : $"until {Figures.At(token.Spec.ExpiresAt)}")}; it is not shown again");
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command List(Cli cli)
    {
        var command = new MeshCommand("list", "List API tokens, without their secrets", "mfctl api-token list", "mfctl api-token list -o wide");
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            session.Printer.List(View, await session.Client.ListAsync<ApiTokenResource>("api-tokens", cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Revoke(Cli cli)
    {
        var name = new Argument<string>("name") { Description = "Name or id of the token" };
        name.CompletionSources.Add(cli.Names.ApiTokens);
        var command = new MeshCommand("revoke", "Make an API token useless at once", "mfctl api-token revoke ci") { name };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            await session.Client.RevokeApiTokenAsync(session.Get(name), cancellationToken);
            session.Note($"API token {session.Get(name)} is revoked");
            return ExitCode.Ok;
        }));
        return command;
    }
}
