using System.CommandLine;
using MeshFabric.Cli.Asking;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl ping A B</c>: measures every tunnel between two clusters, from inside the gateways.</summary>
static class PingCommand
{
    const int IntervalMilliseconds = 200;

    sealed record Row(string From, string ToCluster, ProbeResult Result);

    static readonly View<Row> View = new(r => $"gateway/{r.From}",
        new("FROM", r => r.From),
        new("TO", r => $"{r.ToCluster}/{r.Result.PeerGateway}"),
        new("DEVICE", r => r.Result.Device),
        new("RECEIVED", r => $"{r.Result.Received}/{r.Result.Sent}"),
        new("RTT MIN/AVG/MAX", r => Trips(r.Result)));

    public static Command Create(Cli cli)
    {
        var from = ClusterCommands.Name(cli, "a", "A cluster");
        var to = ClusterCommands.Name(cli, "b", "Another cluster");
        var count = new Option<int?>("--count", "-c") { HelpName = "N", Description = "Echo requests per tunnel and direction, 1 to 100; default 4" };
        var size = new Option<int?>("--size") { HelpName = "BYTES", Description = "Payload of a request, 8 to 8000, never fragmented; default 56" };
        var command = new MeshCommand("ping", "Measure every tunnel between two clusters, or every way by hubs, both ways, from inside the gateways",
            "mfctl ping aurora borealis",
            "mfctl ping aurora borealis -c 20 --size 1392")
        {
            from, to, count, size,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var probe = await Probing.RunAsync(session, new CreateProbe(session.Get(from), session.Get(to), session.Get(count), IntervalMilliseconds, session.Get(size)), cancellationToken);
            var rows = probe.Gateways.SelectMany(g => g.Results.Select(r => new Row($"{g.Cluster}/{g.Gateway}", g.Cluster == probe.From ? probe.To : probe.From, r))).ToList();
            session.Printer.Print(View, probe, rows);
            foreach (var silent in probe.Gateways.Where(g => !g.Answered))
            {
                session.Warn($"the agent of {silent.Cluster}/{silent.Gateway} did not answer in time");
            }

            if (rows.Count == 0)
            {
                session.Warn($"there is no tunnel between {probe.From} and {probe.To} to measure, and no hub hands on (mfctl topology get)");
            }

            return probe.State == "completed" && rows.Count > 0 && rows.TrueForAll(r => r.Result.Received > 0) ? ExitCode.Ok : ExitCode.Failed;
        }));
        return command;
    }

    static string Trips(ProbeResult r) => r.RoundTripSeconds.Count > 0
        ? FormattableString.Invariant($"{r.RoundTripSeconds.Min() * 1000:0.0}/{r.RoundTripSeconds.Average() * 1000:0.0}/{r.RoundTripSeconds.Max() * 1000:0.0} ms")
        : r.Error.Length > 0 ? r.Error : "no answer";
}
