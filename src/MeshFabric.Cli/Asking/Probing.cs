using System.Diagnostics;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Asking;

/// <summary>Asks the gateways of two clusters to measure their tunnels, and waits for what they say.</summary>
static class Probing
{
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    public static async Task<ProbeResource> RunAsync(Session session, CreateProbe body, CancellationToken cancellationToken)
    {
        var probe = await session.Client.CreateProbeAsync(body, cancellationToken);
        var started = Stopwatch.StartNew();
        while (probe.State == "running")
        {
            if (started.Elapsed > session.Timeout)
            {
                throw new CommandException(ExitCode.TimedOut,
                    $"the measurement of {body.From} and {body.To} was not done after {Duration.Text(session.Timeout)}; no answer yet from {string.Join(", ", probe.Gateways.Where(g => !g.Answered).Select(g => $"{g.Cluster}/{g.Gateway}"))}", "mfctl gateway list");
            }

            await Task.Delay(Look, cancellationToken);
            probe = await session.Client.GetProbeAsync(probe.Id, cancellationToken);
        }

        return probe;
    }
}
