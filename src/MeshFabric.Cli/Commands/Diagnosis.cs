using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary>Commands that look into tunnels and gateways.</summary>
static class Diagnosis
{
    public static Command Ping(WithClient run)
    {
        var from = new Argument<string>("a") { Description = "Cluster" };
        var to = new Argument<string>("b") { Description = "Another cluster" };
        var count = new Option<int>("--count", "-c") { Description = "Echo requests per tunnel", DefaultValueFactory = _ => 4 };
        var size = new Option<int>("--size") { Description = "Payload bytes", DefaultValueFactory = _ => 56 };
        var command = new Command("ping", "Measure every tunnel between two clusters, from inside the gateways") { from, to, count, size };
        command.SetAction(run(async (result, client, format, cancellationToken) =>
        {
            var probe = await client.CreateProbeAsync(new CreateProbe(result.GetValue(from), result.GetValue(to), result.GetValue(count), 200, result.GetValue(size)), cancellationToken);
            while (probe.State == "running")
            {
                await Task.Delay(200, cancellationToken);
                probe = await client.GetProbeAsync(probe.Id, cancellationToken);
            }

            var rows = probe.Gateways.SelectMany(g => g.Results.Select(r => new[]
            {
                $"{g.Cluster}/{g.Gateway}", r.PeerGateway, r.Device, $"{r.Received}/{r.Sent}",
                r.RoundTripSeconds.Count == 0 ? (r.Error.Length > 0 ? r.Error : "no answer") : $"{r.RoundTripSeconds.Min() * 1000:0.0}/{r.RoundTripSeconds.Average() * 1000:0.0}/{r.RoundTripSeconds.Max() * 1000:0.0} ms",
            })).ToList();
            Printer.Print(format, probe, ["FROM", "TO", "DEVICE", "RECEIVED", "RTT MIN/AVG/MAX"], rows);
            foreach (var silent in probe.Gateways.Where(g => !g.Answered))
            {
                await Console.Error.WriteLineAsync($"mfctl: the agent of {silent.Cluster}/{silent.Gateway} did not answer in time");
            }

            return probe.State == "completed" && probe.Gateways.All(g => g.Results.All(r => r.Received > 0)) ? ExitCode.Ok : ExitCode.Failed;
        }));
        return command;
    }

    public static Command Explain(WithClient run)
    {
        var name = new Argument<string>("gateway") { Description = "CLUSTER/GATEWAY" };
        var command = new Command("explain", "Show what a gateway should run against what it runs") { name };
        command.SetAction(run(async (result, client, format, cancellationToken) =>
        {
            if (result.GetValue(name)!.Split('/') is not [var cluster, var gateway])
            {
                throw new CommandException(ExitCode.Usage, "write the gateway as CLUSTER/GATEWAY, such as aurora/gw1");
            }

            var e = await client.ExplainAsync(cluster, gateway, cancellationToken);
            var routes = e.Actual?.Routes.ToDictionary(r => r.Destination, r => string.Join(",", r.Devices)) ?? [];
            Printer.Print(format, e, ["WANTED ROUTE", "BY", "ACTUAL"], e.Wanted.Routes.Select(r => new[] { $"{r.Destination}", string.Join(",", r.NextHops.Select(h => h.Device)), routes.GetValueOrDefault(r.Destination, "missing") }));
            foreach (var difference in e.Differences)
            {
                await Console.Error.WriteLineAsync($"  {difference}");
            }

            return e.Differences.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
        }));
        return command;
    }
}
