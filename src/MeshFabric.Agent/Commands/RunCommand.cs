using System.CommandLine;
using System.Net;
using MeshFabric.Agent.Setup;
using MeshFabric.Agent.State;
using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.Hosting;

namespace MeshFabric.Agent.Commands;

/// <summary><c>meshfabric-agent run</c>.</summary>
static class RunCommand
{
    const string DefaultMetrics = "127.0.0.1:9586";

    public static Command Create()
    {
        var stateOption = AgentCommand.State();
        var backend = AgentCommand.Backend();
        var metrics = new Option<string>("--metrics")
        {
            Description = "ADDRESS:PORT for metrics and health, or none (MESHFABRIC_METRICS)",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("MESHFABRIC_METRICS") ?? DefaultMetrics,
        };
        var command = new Command("run", "Run the agent; waits for enrolment if this host has none yet") { stateOption, backend, metrics };
        command.SetAction((result, cancellationToken) => AgentCommand.RunAsync(async () =>
        {
            var state = new AgentStateDirectory(result.GetValue(stateOption)!);
            state.Create();
            using var held = state.Hold();
            state.Check();
            await using var app = AgentHost.Create(state, result.GetValue(backend), await MetricsAsync(result.GetValue(metrics)!));
            var ended = BackgroundFailure.Watch(app.Services);
            await app.RunAsync(cancellationToken);
            return ended() is { } failure ? throw failure : 0;
        }));
        return command;
    }

    static async Task<IPEndPoint?> MetricsAsync(string text)
    {
        if (text == "none")
        {
            return null;
        }

        if (!IPEndPoint.TryParse(text, out var address) || address.Port == 0)
        {
            throw new AgentStateException($"--metrics {text}: write an address and a port, such as {DefaultMetrics} or [::]:9586, or none");
        }

        if (AgentHost.IsFree(address))
        {
            return address;
        }

        await Console.Error.WriteLineAsync($"meshfabric-agent: {address} is taken, so there are no metrics by TCP: give another address with --metrics");
        return null;
    }
}
