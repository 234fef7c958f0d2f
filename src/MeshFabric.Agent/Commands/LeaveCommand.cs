using System.CommandLine;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.State;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Commands;

/// <summary><c>meshfabric-agent leave</c>: this host is as before it joined.</summary>
static class LeaveCommand
{
    public static Command Create()
    {
        var stateOption = AgentCommand.State();
        var backendOption = AgentCommand.Backend();
        var command = new Command("leave", "Take everything of MeshFabric off this host, or off this Kubernetes node whose cluster has left: devices, routes, tables, changed settings and state. Stop the agent first") { stateOption, backendOption };
        command.SetAction((result, cancellationToken) => AgentCommand.RunAsync(async () =>
        {
            var state = new AgentStateDirectory(result.GetValue(stateOption)!);
            // One that was told to leave by the control service is about to end by itself.
            using (await state.HoldAsync(TimeSpan.FromSeconds(15), TimeProvider.System, cancellationToken))
            {
                var (node, gateway) = (new AgentStateDirectory(Path.Combine(state.Directory, NodeState.NodePart)), new AgentStateDirectory(Path.Combine(state.Directory, NodeState.GatewayPart)));
                if (Directory.Exists(node.Directory) || Directory.Exists(gateway.Directory))
                {
                    await NodeLeave.RemoveAsync(Environment.MachineName, new LinuxSysctls(node), gateway, node, () => Open(gateway), TimeProvider.System, cancellationToken);
                }
                else
                {
                    await using var backend = Open(state);
                    using var host = new LinuxHost(new LinuxSysctls(state), isNode: false);
                    using var reconciler = host.Reconciler(backend, PrivateKey.Generate(), TimeProvider.System);
                    await reconciler.RemoveAsync(cancellationToken);
                }

                state.Delete();
            }

            Console.WriteLine("removed devices, routes, tables, settings and state");
            return 0;

            IWireGuardBackend Open(AgentStateDirectory of) => WireGuardBackends.Open(result.GetValue(backendOption), new BackendOptions(of.LogDirectory), TimeProvider.System);
        }));
        return command;
    }
}
