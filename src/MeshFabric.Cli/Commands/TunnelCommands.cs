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
        List(cli), Get(cli), RotateKeyCommand.Create(cli),
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
                new("INSIDE", s => s.Seen?.ReachesInside switch { true => "reached", false => "not reached", null => "" }, Wide: true),
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
