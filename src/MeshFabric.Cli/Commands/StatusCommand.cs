using System.CommandLine;
using System.Diagnostics;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl status</c>: the mesh in one look; with --wait until it is ready, and on a timeout why it is not.</summary>
static class StatusCommand
{
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    static readonly View<MeshResource> View = new(_ => "mesh",
        new("STATE", m => m.State),
        new("REVISION", m => $"{m.Revision}"),
        new("CLUSTERS", m => $"{m.ClustersConnected}/{m.Clusters}"),
        new("GATEWAYS", m => $"{m.GatewaysConnected}/{m.Gateways}"),
        new("TUNNELS", m => $"{m.TunnelsConnected}/{m.TunnelsWanted}"),
        new("DOWN", m => $"{m.TunnelsDown}", Wide: true),
        new("REMAPPED", m => $"{m.RemappedPrefixes}"),
        new("VERSION", m => m.Version, Wide: true));

    public static Command Create(Cli cli)
    {
        var wait = new Option<bool>("--wait") { Description = "Wait until every wanted tunnel is connected, at most --timeout; then exit code 6" };
        var command = new MeshCommand("status", "Show the state of the mesh, and what is missing for ready",
            "mfctl status",
            "mfctl status --wait --timeout 5m",
            "mfctl status -o json | jq .unmetConditions")
        {
            wait,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var mesh = await session.Client.GetMeshAsync(cancellationToken);
            var away = "";
            if (session.Get(wait))
            {
                (mesh, away) = await WaitAsync(session, mesh, cancellationToken);
            }

            session.Printer.One(View, mesh);
            foreach (var condition in mesh.UnmetConditions.Concat(away.Length > 0 ? [away] : Array.Empty<string>()))
            {
                await session.Shell.Error.WriteLineAsync($"  {Printer.Clean(condition)}");
            }

            if (!session.Get(wait) || (mesh.State == "ready" && away.Length == 0))
            {
                return ExitCode.Ok;
            }

            session.Warn($"not ready after {Duration.Text(session.Timeout)}: {mesh.State}");
            return ExitCode.TimedOut;
        }));
        return command;
    }

    // A control service that is away for a moment is one more thing to wait for.
    static async Task<(MeshResource Mesh, string Away)> WaitAsync(Session session, MeshResource mesh, CancellationToken cancellationToken)
    {
        var started = Stopwatch.StartNew();
        var away = "";
        while ((mesh.State != "ready" || away.Length > 0) && started.Elapsed < session.Timeout)
        {
            await Task.Delay(Look, cancellationToken);
            try
            {
                mesh = await session.Client.GetMeshAsync(cancellationToken);
                away = "";
            }
            catch (MeshUnreachableException e)
            {
                away = e.Message;
            }
            catch (MeshApiException e) when (e.Problem.Status is 502 or 503 or 504)
            {
                away = e.Problem.Detail;
            }
        }

        return (mesh, away);
    }
}
