using System.CommandLine;
using MeshFabric.Cli.Asking;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl gateway</c>: the hosts that end tunnels.</summary>
static class GatewayCommands
{
    static readonly View<GatewayResource> View = new(g => $"gateway/{g.Spec.Cluster}/{g.Spec.Name}",
        new("CLUSTER", g => g.Spec.Cluster),
        new("GATEWAY", g => g.Spec.Name),
        new("STATE", g => g.Spec.Drained ? $"{g.Status.State}, drained" : g.Status.State),
        new("ROLE", g => g.Spec.IsLeaf ? "leaf" : "gateway"),
        new("BACKEND", g => g.Status.Backend),
        new("TUNNELS", g => $"{g.Status.TunnelsConnected}/{g.Status.TunnelsWanted}"),
        new("REVISION", g => $"{g.Status.AppliedRevision}"),
        new("FACTS", g => $"{g.Status.FactsRevision}", Wide: true),
        new("ENDPOINTS", g => g.Spec.Endpoints.Count == 0 ? "outbound-only" : string.Join(",", g.Spec.Endpoints)),
        new("SEEN-AT", g => string.Join(",", g.Status.ObservedEndpoints), Wide: true),
        new("NODE", g => g.Spec.Node, Wide: true),
        new("PODS", g => string.Join(",", g.Spec.Pods), Wide: true),
        new("RELAYS", g => g.Status.RelayedPairs == 0 ? "" : $"{g.Status.RelayedPairs}", Wide: true),
        new("TUNNEL-ADDRESSES", g => string.Join(",", g.Spec.TunnelAddresses), Wide: true),
        new("PUBLIC-KEY", g => $"{g.Spec.PublicKey}", Wide: true),
        new("KEY-SINCE", g => g.Status.KeyChange.Length > 0 ? g.Status.KeyChange : Figures.At(g.Status.KeySince), Wide: true),
        new("LAST-SEEN", g => g.Status.LastSeen is null ? "never" : Figures.At(g.Status.LastSeen), Wide: true),
        new("VERSION", g => g.Status.AgentVersion));

    public static Command Create(Cli cli) => new MeshCommand("gateway", "Gateways: the hosts that end tunnels", "mfctl gateway list", "mfctl gateway get aurora/gw1")
    {
        List(cli), Get(cli), Set(cli), Drain(cli, true), Drain(cli, false), Remove(cli),
    };

    public static Argument<string> Name(Cli cli, string name = "gateway", string description = "CLUSTER/GATEWAY, such as aurora/gw1")
    {
        var argument = new Argument<string>(name) { Description = description };
        argument.CompletionSources.Add(cli.Names.Gateways);
        return argument;
    }

    public static (string Cluster, string Gateway) Split(string text) => text.Split('/') is [{ Length: > 0 } cluster, { Length: > 0 } gateway]
        ? (cluster, gateway)
        : throw CommandException.Usage($"'{text}' names no gateway: write CLUSTER/GATEWAY, such as aurora/gw1");

    static Command List(Cli cli)
    {
        var cluster = ClusterCommands.Filter(cli, "Only gateways of this cluster");
        var command = new MeshCommand("list", "List gateways", "mfctl gateway list", "mfctl gateway list --cluster aurora -o wide") { cluster };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            session.Printer.List(View, await session.Client.ListGatewaysAsync(session.Get(cluster), cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Get(Cli cli)
    {
        var name = Name(cli);
        var command = new MeshCommand("get", "Show one gateway", "mfctl gateway get aurora/gw1", "mfctl gateway get aurora/gw1 -o yaml") { name };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var (cluster, gateway) = Split(session.Get(name));
            var found = await session.Client.GetGatewayAsync(cluster, gateway, cancellationToken);
            session.Printer.One(View, found);
            foreach (var finding in found.Status.Findings)
            {
                session.Note($"  {finding.Code}: {finding.Message} {finding.Hint}");
            }

            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Set(Cli cli)
    {
        var name = Name(cli);
        var endpoints = new Option<string[]>("--endpoint") { HelpName = "ADDRESS:PORT", Description = "Where others dial it, with the port of its first tunnel device; repeat for several, in order of preference", Required = true };
        var noWait = new Option<bool>("--no-wait") { Description = "Do not wait until all gateways know it" };
        var command = new MeshCommand("set", "Say where a gateway is dialled: after a new public address, or to add a second one. Tunnels that answer go on as they are",
            "mfctl gateway set aurora/gw1 --endpoint 203.0.113.7:51820",
            "mfctl gateway set aurora/gw1 --endpoint 203.0.113.7:51820 --endpoint 198.51.100.7:51820")
        {
            name, endpoints, noWait,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var (cluster, gateway) = Split(session.Get(name));
            await session.Client.UpdateGatewayAsync(cluster, gateway, new UpdateGateway(new UpdateGatewaySpec(null) { Endpoints = session.Get(endpoints) }), cancellationToken);
            if (!session.Get(noWait))
            {
                await AppliedAsync(session, cancellationToken);
            }

            session.Printer.One(View, await session.Client.GetGatewayAsync(cluster, gateway, cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Drain(Cli cli, bool drained)
    {
        var name = Name(cli);
        var noWait = new Option<bool>("--no-wait") { Description = "Do not wait until all gateways know it" };
        var command = drained
            ? new MeshCommand("drain", "Take traffic off a gateway without loss: the cluster's others carry it. For work on its host; undo with undrain", "mfctl gateway drain aurora/gw1") { name, noWait }
            : new MeshCommand("undrain", "Give a drained gateway its share of the traffic again", "mfctl gateway undrain aurora/gw1") { name, noWait };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var (cluster, gateway) = Split(session.Get(name));
            var changed = await session.Client.UpdateGatewayAsync(cluster, gateway, new UpdateGateway(new UpdateGatewaySpec(drained)), cancellationToken);
            if (!session.Get(noWait))
            {
                await AppliedAsync(session, cancellationToken);
            }

            session.Printer.One(View, await session.Client.GetGatewayAsync(cluster, gateway, cancellationToken));
            if (drained && (await session.Client.ListGatewaysAsync(cluster, cancellationToken)).All(g => g.Spec.Drained || g.Spec.IsLeaf || g.Status.State != "connected"))
            {
                session.Note($"no other gateway of {cluster} can carry its traffic: {changed.Metadata.Name} goes on carrying it until there is one");
            }

            return ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>Waits until every gateway that is heard of runs the facts of now.</summary>
    public static async Task AppliedAsync(Session session, CancellationToken cancellationToken)
    {
        var revision = (await session.Client.GetMeshAsync(cancellationToken)).Revision;
        var limit = session.Timeout;
        await Waiting.UntilAsync(limit, Look, async () =>
        {
            var behind = (await session.Client.ListGatewaysAsync(null, cancellationToken)).Where(g => g.Status.State == "connected" && g.Status.AppliedRevision < revision).ToList();
            return behind.Count == 0 ? null
                : new CommandException(ExitCode.TimedOut, $"after {Duration.Text(limit)} these gateways do not run revision {revision} yet: {string.Join(", ", behind.Select(g => g.Metadata.Name))}", "mfctl gateway list");
        }, cancellationToken);
    }

    /// <summary>How often it is looked whether gateways did what was changed.</summary>
    public static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    static Command Remove(Cli cli)
    {
        var name = Name(cli);
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask" };
        var command = new MeshCommand("remove", "Remove a gateway: its tunnels are cut off everywhere at once; the cluster's other gateways carry on",
            "mfctl gateway remove aurora/gw2",
            "mfctl gateway remove aurora/gw2 --yes")
        {
            name, yes,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var (cluster, gateway) = Split(session.Get(name));
            await session.ConfirmAsync(session.Get(yes), $"cuts gateway {cluster}/{gateway} off", $"{cluster}/{gateway}", cancellationToken);
            await session.Client.DeleteGatewayAsync(cluster, gateway, cancellationToken);
            session.Note($"gateway {cluster}/{gateway} is removed and cut off");
            await TellOfSuccessorsAsync(session, cluster, cancellationToken);
            return ExitCode.Ok;
        }));
        return command;
    }

    // A cluster whose nodes are gateways by themselves puts another in its place, or the same node with another key: nobody should learn that by surprise.
    static async Task TellOfSuccessorsAsync(Session session, string cluster, CancellationToken cancellationToken)
    {
        var tokens = await session.Client.ListAsync<JoinTokenResource>("join-tokens", cancellationToken);
        if (tokens.FirstOrDefault(t => t.Spec.Standing && t.Spec.Cluster == cluster && t.Status.State == "active") is { } standing)
        {
            session.Note($"{cluster} has a standing join token: where its nodes run our agents, one of them enrols within seconds in the place of this gateway, with a key of its own");
            session.Note("  for fewer gateways, install with another --gateways; to spare a node: kubectl label node NODE meshfabric.io/gateway=false");
            session.Note($"  to let nobody in any more: mfctl token revoke {standing.Metadata.Name}, or mfctl cluster remove {cluster}");
        }
    }
}
