using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl explain CLUSTER/GATEWAY</c>: what it should run against what it runs.</summary>
static class ExplainCommand
{
    public static Command Create(Cli cli)
    {
        var name = GatewayCommands.Name(cli);
        var command = new MeshCommand("explain", "Show what a gateway should run against what it runs; exit code 1 when they differ",
            "mfctl explain aurora/gw1",
            "mfctl explain aurora/gw1 -o json | jq .wanted.devices")
        {
            name,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var (cluster, gateway) = GatewayCommands.Split(session.Get(name));
            var explanation = await session.Client.ExplainAsync(cluster, gateway, cancellationToken);
            var actual = explanation.Actual?.Routes.ToDictionary(r => r.Destination, r => string.Join(",", r.Devices)) ?? [];
            var view = new View<MeshRoute>(r => $"route/{r.Destination}",
                new("WANTED ROUTE", r => $"{r.Destination}"),
                new("BY", r => string.Join(",", r.NextHops.Select(h => h.Device))),
                new("TO", r => string.Join(",", r.NextHops.Select(h => $"{h.Cluster}/{h.Gateway}")), Wide: true),
                new("ACTUAL", r => actual.GetValueOrDefault(r.Destination, "missing")));
            session.Printer.Print(view, explanation, explanation.Wanted.Routes);
            foreach (var difference in explanation.Differences)
            {
                await session.Shell.Error.WriteLineAsync($"  {Printer.Clean(difference)}");
            }

            session.Note(explanation.ReportedAt is { } at ? $"seen by its agent {Figures.Ago(at, session.Shell.Time.GetUtcNow())}, {explanation.Differences.Count} difference(s)" : "its agent has not reported yet");
            return explanation.Differences.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
        }));
        return command;
    }
}
