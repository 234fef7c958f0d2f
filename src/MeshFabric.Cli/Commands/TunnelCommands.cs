using System.CommandLine;
using MeshFabric.Cli.Asking;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl tunnel</c>: the wanted links of two gateways, as both sides see them.</summary>
static class TunnelCommands
{
    static readonly string[] States = ["connected", "connecting", "down", "unknown"];

    static readonly View<TunnelResource> View = new(t => $"tunnel/{t.Metadata.Name}",
        new("A", t => $"{t.Spec.A.Cluster}/{t.Spec.A.Gateway}"),
        new("B", t => $"{t.Spec.B.Cluster}/{t.Spec.B.Gateway}"),
        new("STATE", t => t.Status.State),
        new("PATH", t => t.Status.Relay is { } relay ? $"by {relay}" : t.Status.Path),
        new("RTT", t => Figures.Milliseconds((t.Status.A ?? t.Status.B)?.RttSeconds)),
        new("LOSS", t => Figures.Percent((t.Status.A ?? t.Status.B)?.LossRatio)),
        // What B sends to is where A is, and the other way round.
        new("ENDPOINT-A", t => $"{t.Status.B?.Endpoint}"),
        new("ENDPOINT-B", t => $"{t.Status.A?.Endpoint}"),
        new("DEVICE-A", t => t.Spec.A.Device, Wide: true),
        new("DEVICE-B", t => t.Spec.B.Device, Wide: true),
        new("HANDSHAKE", t => Figures.At(t.Status.A?.LastHandshake ?? t.Status.B?.LastHandshake), Wide: true));

    sealed record Side(TunnelEnd Near, TunnelEnd Far, TunnelSide? Seen);

    public static Command Create(Cli cli) => new MeshCommand("tunnel", "Tunnels between gateways", "mfctl tunnel list --state down", "mfctl tunnel get aurora/gw1 borealis/gw1")
    {
        List(cli), Get(cli), RotateKey(cli),
    };

    static Command List(Cli cli)
    {
        var cluster = ClusterCommands.Filter(cli, "Only tunnels of this cluster");
        var state = new Option<string?>("--state") { HelpName = "STATE", Description = $"Only tunnels in this state: {string.Join(", ", States)}" };
        state.CompletionSources.Add(States);
        state.Validators.Add(result =>
        {
            if (result.GetValue(state) is { } given && !States.Contains(given))
            {
                result.AddError($"--state {given}: one of {string.Join(", ", States)} is needed");
            }
        });
        var command = new MeshCommand("list", "List tunnels", "mfctl tunnel list", "mfctl tunnel list --cluster aurora --state down", "mfctl tunnel list -o wide") { cluster, state };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var filters = new[] { ("cluster", session.Get(cluster)), ("state", session.Get(state)) }.Where(f => f.Item2 is not null).Select(f => $"{f.Item1}={Uri.EscapeDataString(f.Item2!)}").ToList();
            session.Printer.List(View, await session.Client.ListAsync<TunnelResource>(filters.Count > 0 ? $"tunnels?{string.Join('&', filters)}" : "tunnels", cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Get(Cli cli)
    {
        var a = new Argument<string>("a") { Description = "CLUSTER/GATEWAY, or the tunnel's own name" };
        a.CompletionSources.Add(cli.Names.Gateways);
        a.CompletionSources.Add(cli.Names.Tunnels);
        var b = new Argument<string?>("b") { Description = "CLUSTER/GATEWAY of the other side", Arity = ArgumentArity.ZeroOrOne };
        b.CompletionSources.Add(cli.Names.Gateways);
        var command = new MeshCommand("get", "Show one tunnel as each of its sides sees it",
            "mfctl tunnel get aurora/gw1 borealis/gw1",
            "mfctl tunnel get aurora.gw1--borealis.gw1 -o json")
        {
            a, b,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var tunnel = await session.Client.GetTunnelAsync(NameOf(session.Get(a), session.Get(b)), cancellationToken);
            var now = session.Shell.Time.GetUtcNow();
            var sides = new View<Side>(_ => $"tunnel/{tunnel.Metadata.Name}",
                new("SIDE", s => $"{s.Near.Cluster}/{s.Near.Gateway}"),
                new("DEVICE", s => s.Near.Device),
                new("STATE", s => s.Seen is null ? "unknown" : $"{s.Seen.State}".ToLowerInvariant()),
                new("TO", s => $"{s.Seen?.Endpoint}"),
                new("HANDSHAKE", s => Figures.Ago(s.Seen?.LastHandshake, now)),
                new("RTT", s => Figures.Milliseconds(s.Seen?.RttSeconds)),
                new("JITTER", s => Figures.Milliseconds(s.Seen?.JitterSeconds), Wide: true),
                new("LOSS", s => Figures.Percent(s.Seen?.LossRatio)),
                new("MTU", s => s.Seen is { MtuBytes: > 0 } seen ? $"{seen.MtuBytes}" : "", Wide: true),
                new("KEY-EPOCH", s => s.Seen is { KeyEpoch: > 0 } seen ? $"{seen.KeyEpoch}" : "", Wide: true),
                new("RELAY", s => s.Seen?.Relay ?? "", Wide: true),
                new("RECEIVED", s => s.Seen is null ? "" : Figures.Bytes(s.Seen.ReceivedBytes)),
                new("SENT", s => s.Seen is null ? "" : Figures.Bytes(s.Seen.SentBytes)),
                new("INITIATES", s => s.Near.Initiates ? "yes" : "no", Wide: true),
                new("PUBLIC-KEY", s => $"{s.Near.PublicKey}", Wide: true),
                new("REPORTED", s => Figures.Ago(s.Seen?.ReportedAt, now), Wide: true));
            session.Printer.Print(sides, tunnel, session.Printer.Format == "name"
                ? [new Side(tunnel.Spec.A, tunnel.Spec.B, null)]
                : [new Side(tunnel.Spec.A, tunnel.Spec.B, tunnel.Status.A), new Side(tunnel.Spec.B, tunnel.Spec.A, tunnel.Status.B)]);
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command RotateKey(Cli cli)
    {
        var all = new Option<bool>("--all") { Description = "Of all tunnels of the mesh: the pre-shared keys of one epoch are made from one secret" };
        var reason = new Option<string?>("--reason") { HelpName = "TEXT", Description = "For the event and the audit record" };
        var noWait = new Option<bool>("--no-wait") { Description = "Do not wait until all gateways that are heard of use the new keys" };
        var command = new MeshCommand("rotate-key", "Renew the pre-shared keys of all tunnels, without loss: each tunnel goes on with its session, and its next handshake (within 2 minutes) has the new key",
            "mfctl tunnel rotate-key --all",
            "mfctl tunnel rotate-key --all --reason 'a laptop with a backup was lost'")
        {
            all, reason, noWait,
        };
        command.Validators.Add(result =>
        {
            if (!result.GetValue(all))
            {
                result.AddError("say --all: a new epoch is for all tunnels");
            }
        });
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var keys = await session.Client.RenewKeysAsync(new RenewKeys(session.Get(reason)), cancellationToken);
            if (!session.Get(noWait))
            {
                keys = await HeldAsync(session, keys.Epoch, cancellationToken);
            }

            session.Printer.One(KeysView, keys);
            return ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>Waits until every gateway that is heard of holds an epoch and uses it.</summary>
    static async Task<KeysResource> HeldAsync(Session session, int epoch, CancellationToken cancellationToken)
    {
        KeysResource? keys = null;
        var limit = session.Timeout;
        await Waiting.UntilAsync(limit, GatewayCommands.Look, async () =>
        {
            keys = await session.Client.GetKeysAsync(cancellationToken);
            var silent = (await session.Client.ListGatewaysAsync(null, cancellationToken)).Where(g => g.Status.State != "connected").Select(g => g.Metadata.Name).ToHashSet(StringComparer.Ordinal);
            var waiting = keys.Waiting.Where(w => !silent.Contains(w)).ToList();
            return keys.Epoch >= epoch && waiting.Count == 0 ? null
                : new CommandException(ExitCode.TimedOut, $"after {Duration.Text(limit)} these gateways do not have the secret of epoch {epoch} yet: {string.Join(", ", waiting)}; their tunnels go on with the keys they have", "mfctl gateway list");
        }, cancellationToken);
        await GatewayCommands.AppliedAsync(session, cancellationToken);
        if (keys!.Waiting.Count > 0)
        {
            session.Note($"not heard of, and given the new secret when they are: {string.Join(", ", keys.Waiting)}");
        }

        return keys;
    }

    static readonly View<KeysResource> KeysView = new(k => $"keys/{k.Epoch}",
        new("EPOCH", k => $"{k.Epoch}"),
        new("SINCE", k => Figures.At(k.Since)),
        new("GATEWAYS", k => $"{k.Holding}/{k.Gateways}"),
        new("REASON", k => k.Reason));

    static string NameOf(string a, string? b)
    {
        if (b is null)
        {
            return a.Contains("--", StringComparison.Ordinal) ? a.Replace("tunnel/", "", StringComparison.Ordinal)
                : throw CommandException.Usage("a tunnel has two sides: write both, such as aurora/gw1 borealis/gw1");
        }

        var (near, far) = (GatewayCommands.Split(a), GatewayCommands.Split(b));
        return $"{near.Cluster}.{near.Gateway}--{far.Cluster}.{far.Gateway}";
    }
}
