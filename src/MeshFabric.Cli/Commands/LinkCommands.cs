using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl link</c>: all tunnels between two clusters, in one row.</summary>
static class LinkCommands
{
    static readonly View<LinkResource> View = new(l => $"link/{l.A}/{l.B}",
        new("A", l => l.A),
        new("B", l => l.B),
        new("STATE", l => l.State),
        new("TUNNELS", l => $"{l.TunnelsConnected}/{l.TunnelsWanted}"),
        new("RELAYED", l => $"{l.TunnelsRelayed}"),
        new("RTT", l => Figures.Milliseconds(l.RttSeconds)),
        new("LOSS", l => Figures.Percent(l.LossRatio)));

    public static Command Create(Cli cli) => new MeshCommand("link", "Links between clusters: all their tunnels in one row", "mfctl link list", "mfctl link list --state degraded --state down")
    {
        List(cli),
    };

    static Command List(Cli cli)
    {
        var cluster = ClusterCommands.Filter(cli, "Only links of this cluster");
        var states = new Option<string[]>("--state") { HelpName = "STATE", Description = $"Only links in this state, which may be repeated: {string.Join(", ", LinkResource.States)}" };
        states.CompletionSources.Add([.. LinkResource.States]);
        states.Validators.Add(result =>
        {
            if (result.GetValue(states)?.FirstOrDefault(s => !LinkResource.States.Contains(s)) is { } wrong)
            {
                result.AddError($"--state {wrong}: one of {string.Join(", ", LinkResource.States)} is needed");
            }
        });
        var command = new MeshCommand("list", "List pairs of clusters that the topology links, and how their tunnels are", "mfctl link list", "mfctl link list --cluster aurora", "mfctl link list --state degraded --state down -o json") { cluster, states };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            session.Printer.List(View, await session.Client.ListLinksAsync(session.Get(cluster), session.Get(states) ?? [], cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }
}
