using System.CommandLine;
using System.Diagnostics;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

delegate Func<ParseResult, CancellationToken, Task<int>> WithClient(Func<ParseResult, MeshClient, string, CancellationToken, Task<int>> action);

/// <summary><c>mfctl status</c>: the mesh in one look; with --wait until it is ready, and on a timeout why it is not.</summary>
static class StatusCommand
{
    public static Command Create(WithClient run, Option<int> timeout)
    {
        var wait = new Option<bool>("--wait") { Description = "Wait until every wanted tunnel is connected" };
        var command = new Command("status", "Show the state of the mesh") { wait, timeout };
        command.SetAction(run(async (result, client, format, cancellationToken) =>
        {
            var started = Stopwatch.StartNew();
            var mesh = await client.GetMeshAsync(cancellationToken);
            while (result.GetValue(wait) && mesh.State != "ready" && started.Elapsed.TotalSeconds < result.GetValue(timeout))
            {
                await Task.Delay(250, cancellationToken);
                mesh = await client.GetMeshAsync(cancellationToken);
            }

            Printer.Print(format, mesh, ["STATE", "REVISION", "CLUSTERS", "GATEWAYS", "TUNNELS", "REMAPPED"],
                [[mesh.State, $"{mesh.Revision}", $"{mesh.ClustersConnected}/{mesh.Clusters}", $"{mesh.GatewaysConnected}/{mesh.Gateways}", $"{mesh.TunnelsConnected}/{mesh.TunnelsWanted}", $"{mesh.RemappedPrefixes}"]]);
            foreach (var condition in mesh.UnmetConditions)
            {
                await Console.Error.WriteLineAsync($"  {condition}");
            }

            return result.GetValue(wait) && mesh.State != "ready" ? ExitCode.TimedOut : ExitCode.Ok;
        }));
        return command;
    }
}
