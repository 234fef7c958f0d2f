using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl token</c>: join tokens, which admit gateways.</summary>
static class TokenCommands
{
    static readonly View<JoinTokenResource> View = new(t => $"join-token/{t.Metadata.Name}",
        new("ID", t => t.Metadata.Name),
        new("STATE", t => t.Status.State),
        new("CLUSTER", t => t.Spec.Cluster.Length > 0 ? t.Spec.Cluster : "(any new)"),
        new("USES", t => t.Spec.MaxUses is { } most ? $"{t.Status.Uses}/{most}" : $"{t.Status.Uses}"),
        new("EXPIRES", t => t.Spec.ExpiresAt is null ? "never" : Figures.At(t.Spec.ExpiresAt)),
        new("CREATED", t => Figures.At(t.Metadata.CreatedAt), Wide: true),
        new("DESCRIPTION", t => t.Spec.Description, Wide: true));

    public static Command Create(Cli cli) => new MeshCommand("token", "Join tokens: secrets that admit gateways", "mfctl token create --cluster aurora", "mfctl token list")
    {
        Make(cli), List(cli), Revoke(cli),
    };

    static Command Make(Cli cli)
    {
        var cluster = ClusterCommands.Filter(cli, "The one cluster it admits gateways to; without it: one new cluster");
        var expires = new Option<TimeSpan?>("--expires") { HelpName = "DURATION", Description = "How long it is valid, at most 24h; default 15m", CustomParser = Duration.Parse };
        var uses = new Option<int?>("--max-uses") { HelpName = "N", Description = "Gateways it admits, at most 8; default 1" };
        var standing = new Option<bool>("--standing") { Description = "It admits gateways to --cluster until it is revoked or the cluster removed: for agents inside a cluster" };
        var description = new Option<string?>("--description") { HelpName = "TEXT", Description = "What it is for" };
        var print = new Option<string?>("--print-join-command") { HelpName = "GATEWAY", Description = "Print the command that joins this gateway instead of the token alone" };
        var command = new MeshCommand("create", "Make a join token; it is shown once",
            "mfctl token create --cluster aurora",
            "mfctl token create --cluster aurora --expires 1h --max-uses 2",
            "mfctl token create --print-join-command gw1 --cluster aurora",
            "mfctl token create --cluster aurora --standing")
        {
            cluster, expires, uses, standing, description, print,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var body = new CreateJoinToken(session.Get(cluster), (int?)session.Get(expires)?.TotalSeconds, session.Get(uses), session.Get(description), session.Get(standing) ? true : null);
            var token = await session.Client.CreateJoinTokenAsync(body, cancellationToken);
            if (!session.Printer.IsTable)
            {
                session.Printer.One(View, token);
            }
            else if (session.Get(print) is { } gateway)
            {
                var named = session.Get(cluster) is { } name ? $" --cluster {name}" : " --cluster NAME";
                await session.Shell.Out.WriteLineAsync($"echo {token.Status.Token} | meshfabric-agent join --token-file -{named} --gateway {gateway} --endpoint ADDRESS:51820");
            }
            else
            {
                await session.Shell.Out.WriteLineAsync(token.Status.Token);
            }

            session.Note(token.Spec.Standing
                ? $"join token {token.Metadata.Name} admits gateways to {token.Spec.Cluster} until it is revoked: mfctl token revoke {token.Metadata.Name}; it is not shown again"
                : $"join token {token.Metadata.Name} admits {token.Spec.MaxUses} gateway(s) until {Figures.At(token.Spec.ExpiresAt)}; it is not shown again");
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command List(Cli cli)
    {
        var command = new MeshCommand("list", "List join tokens, without their secrets", "mfctl token list", "mfctl token list -o wide");
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            session.Printer.List(View, await session.Client.ListAsync<JoinTokenResource>("join-tokens", cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Revoke(Cli cli)
    {
        var id = new Argument<string>("id") { Description = "Id of the token" };
        id.CompletionSources.Add(cli.Names.JoinTokens);
        var command = new MeshCommand("revoke", "Make a join token useless; gateways that it admitted stay", "mfctl token revoke j-5n2x") { id };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            await session.Client.RevokeJoinTokenAsync(session.Get(id), cancellationToken);
            session.Note($"join token {session.Get(id)} is revoked");
            return ExitCode.Ok;
        }));
        return command;
    }
}
