using System.CommandLine;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl cluster leave</c>: the reverse of join. Cut off everywhere first, then every gateway, or every node of an installation in the cluster, is cleaned.</summary>
static class ClusterLeaveCommand
{
    public static Command Create(Cli cli)
    {
        var name = ClusterCommands.Name(cli);
        var via = new Option<string?>("--via") { HelpName = "COMMAND", Description = "Command that runs a command on a gateway, such as 'ssh root@{gateway}'; without it the command to run is printed" };
        var agent = ClusterJoinCommand.Agent();
        var state = ClusterJoinCommand.State();
        var kubeconfig = new Option<string?>("--kubeconfig") { HelpName = "FILE", Description = "Its agents run as pods: clean its nodes and delete everything of ours by this Kubernetes API" };
        var kubeContext = new Option<string?>("--kube-context") { HelpName = "NAME", Description = "Context of the kubeconfig" };
        var offline = new Option<bool>("--offline") { Description = "With --kubeconfig: do not ask the control service" };
        var force = new Option<bool>("--force") { Description = "With --kubeconfig: go on when nodes do not say within --timeout that they are clean" };
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask" };
        var command = new MeshCommand("leave", "Take a cluster out of the mesh: cut it off everywhere, then clean its nodes or gateways (devices, routes, tables, state)",
            "mfctl cluster leave aurora --kubeconfig aurora.kubeconfig",
            "mfctl cluster leave aurora --via 'ssh root@{gateway}'",
            "mfctl cluster leave aurora --yes")
        {
            name, kubeconfig, kubeContext, offline, force, via, agent, state, yes,
        };
        var offlineLeave = cli.Local((run, cancellationToken) => ClusterUninstall.RunAsync(run, null, Request(run), cancellationToken));
        var onlineLeave = cli.Remote((session, cancellationToken) => session.Get(kubeconfig) is not null
            ? ClusterUninstall.RunAsync(session, session, Request(session), cancellationToken)
            : new Option[] { kubeContext, force }.FirstOrDefault(session.IsGiven) is { } option
                ? throw CommandException.Usage($"{option.Name} belongs to --kubeconfig: add --kubeconfig FILE")
                : GatewaysAsync(session, cancellationToken));
        command.SetAction((result, cancellationToken) => result.GetValue(offline) ? offlineLeave(result, cancellationToken) : onlineLeave(result, cancellationToken));
        return command;

        UninstallRequest Request(Invocation run) =>
            new Option[] { via, agent, state }.FirstOrDefault(run.IsGiven) is { } option
                ? throw CommandException.Usage($"{option.Name} is for gateways outside pods: leave it or --kubeconfig out")
                : new UninstallRequest(run.Get(name), run.Get(kubeconfig) ?? throw CommandException.Usage("--offline needs the cluster's own API: add --kubeconfig FILE"), run.Get(kubeContext), run.Get(yes), run.Get(force));

        async Task<int> GatewaysAsync(Session session, CancellationToken cancellationToken)
        {
            var cluster = session.Get(name);
            var gateways = (await session.Client.ListAsync<GatewayResource>($"clusters/{Uri.EscapeDataString(cluster)}/gateways", cancellationToken)).Select(g => g.Spec.Name).ToList();
            var remote = Remote.Of(session.Get(via), gateways);
            await session.ConfirmAsync(session.Get(yes), $"takes {cluster} with {gateways.Count} gateway(s) out of the mesh", cluster, cancellationToken);
            var steps = 1 + gateways.Count;
            session.Step(1, steps, $"cutting {cluster} off everywhere");
            await session.Client.DeleteClusterAsync(cluster, cancellationToken);
            var left = new List<string>();
            foreach (var (gateway, i) in gateways.Select((g, i) => (g, i)))
            {
                string[] leave = [session.Get(agent) ?? ClusterJoinCommand.DefaultAgent, "leave", .. Remote.StateOf(session.Get(state), gateway)];
                session.Step(2 + i, steps, $"cleaning {gateway}");
                if (remote is null)
                {
                    await session.Shell.Out.WriteLineAsync($"on {gateway} stop the agent and run:\n  {string.Join(' ', leave)}");
                    continue;
                }

                var (code, said) = await remote.RunAsync(gateway, leave, "", cancellationToken);
                if (code != 0)
                {
                    session.Warn($"cleaning {gateway} failed: {said}");
                    left.Add($"\n  on {gateway}: {string.Join(' ', leave)}");
                }
                else
                {
                    session.Note($"      {gateway}: {said}");
                }
            }

            return left.Count == 0
                ? ExitCode.Ok
                : throw new CommandException(ExitCode.PartlyDone, $"{cluster} is removed and cut off, but {left.Count} of {gateways.Count} gateway(s) could not be cleaned. Stop the agent there and run:{string.Concat(left)}");
        }
    }
}
