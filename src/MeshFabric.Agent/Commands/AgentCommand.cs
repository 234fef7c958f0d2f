using System.CommandLine;
using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Files;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Commands;

/// <summary>What the agent's commands share: the state directory, the choice of backend, and how failures become messages.</summary>
static class AgentCommand
{
    public static Option<string> State() => new("--state")
    {
        Description = "State directory (MESHFABRIC_STATE)",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("MESHFABRIC_STATE") ?? "/var/lib/meshfabric",
    };

    public static Option<BackendChoice> Backend() => new("--wireguard") { Description = "WireGuard implementation: auto, kernel or userspace", DefaultValueFactory = _ => BackendChoice.Auto };

    /// <summary>Exit 0, or 1 with a message; never a stack trace for what a person can mend.</summary>
    public static async Task<int> RunAsync(Func<Task<int>> action)
    {
        try
        {
            return await action();
        }
        catch (Exception e) when (e is EnrolmentException or AgentStateException or WireGuardException or InventoryFileException or KubernetesInventoryException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"meshfabric-agent: {e.Message}");
            return 1;
        }
    }
}
