using System.CommandLine;
using System.Globalization;
using System.Net;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.Setup;
using MeshFabric.Agent.State;
using MeshFabric.Installation;
using MeshFabric.Net;
using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.Hosting;

namespace MeshFabric.Agent.Commands;

/// <summary><c>meshfabric-agent run</c>.</summary>
static class RunCommand
{
    const string DefaultMetrics = "127.0.0.1:9586";

    static readonly Option<string?> Node = Text("--node", "MESHFABRIC_NODE", "Be the agent of this Kubernetes node: role node, and gateway when the cluster needs one here");
    static readonly Option<string?> Namespace = Text("--namespace", "MESHFABRIC_NAMESPACE", "Namespace of the gateways' leases; default meshfabric-system");
    static readonly Option<string?> Kubeconfig = Text("--kubeconfig", "MESHFABRIC_KUBECONFIG", "With --node: the cluster's API by this file instead of the pod's service account");
    static readonly Option<string?> Context = Text("--context", "MESHFABRIC_CONTEXT", "Context of the kubeconfig");
    static readonly Option<string?> TokenFile = Text("--token-file", "MESHFABRIC_TOKEN_FILE", "With --node: file with the cluster's standing join token");
    static readonly Option<string?> Gateways = Text("--gateways", InstallationNames.GatewaysVariable, "With --node: how many gateways the cluster wants, 1 to 8; default 2");
    static readonly Option<string?> ListenPort = Text("--listen-port", InstallationNames.ListenPortVariable, "With --node: first UDP port of WireGuard; default 51820");
    static readonly Option<string?> PodCidrs = Text("--pod-cidrs", InstallationNames.PodCidrsVariable, "With --node: pod CIDRs, separated by commas, that the cluster's API cannot tell");
    static readonly Option<string?> ServiceCidrs = Text("--service-cidrs", InstallationNames.ServiceCidrsVariable, "With --node: Service CIDRs, separated by commas, that the cluster's API cannot tell");
    static readonly Option<string?> AnsweredServiceCidr = Text("--answered-service-cidr", InstallationNames.AnsweredServiceCidrVariable, "With --node: Service CIDR as the API server told it to whoever installed the agents; used where nothing else names it");
    static readonly Option<string?> Leave = Text("--leave", InstallationNames.LeaveVariable, "With --node: true takes everything off the node and waits");

    public static Command Create()
    {
        var stateOption = AgentCommand.State();
        var backend = AgentCommand.Backend();
        var metrics = new Option<string>("--metrics")
        {
            Description = $"ADDRESS:PORT for metrics and health, or none ({InstallationNames.MetricsVariable})",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable(InstallationNames.MetricsVariable) ?? DefaultMetrics,
        };
        var command = new Command("run", "Run the agent; waits for enrolment if this host has none yet. With --node: as the agent of a Kubernetes node")
        {
            stateOption, backend, metrics, Node, Namespace, Kubeconfig, Context, TokenFile, Gateways, ListenPort, PodCidrs, ServiceCidrs, AnsweredServiceCidr, Leave,
        };
        command.SetAction((result, cancellationToken) => AgentCommand.RunAsync(async () =>
        {
            var state = new AgentStateDirectory(result.GetValue(stateOption)!);
            var node = Settings(result);
            state.Create();
            using var held = state.Hold();
            var gateway = node is null ? state : new AgentStateDirectory(Path.Combine(state.Directory, NodeState.GatewayPart));
            if (node is null)
            {
                gateway.Check();
            }

            await using var app = AgentHost.Create(state, gateway, node, result.GetValue(backend), await MetricsAsync(result.GetValue(metrics)!));
            var ended = BackgroundFailure.Watch(app.Services);
            await app.RunAsync(cancellationToken);
            return ended() is { } failure ? throw failure : 0;
        }));
        return command;
    }

    static Option<string?> Text(string name, string variable, string description) => new(name)
    {
        Description = $"{description} ({variable})",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null,
    };

    /// <summary>Null without --node: the agent of a host.</summary>
    static NodeSettings? Settings(ParseResult result)
    {
        if (result.GetValue(Node) is not { } node)
        {
            return null;
        }

        return new NodeSettings(
            node,
            result.GetValue(Namespace) ?? InstallationNames.Namespace,
            result.GetValue(Kubeconfig),
            result.GetValue(Context),
            result.GetValue(TokenFile) ?? "/etc/meshfabric/join/token",
            Number(result, Gateways, 2, 1, 8),
            Number(result, ListenPort, 51820, 1, 65000),
            Cidrs(result, PodCidrs),
            result.GetValue(Leave) == "true")
        {
            ServiceCidrs = Cidrs(result, ServiceCidrs),
            AnsweredServiceCidr = result.GetValue(AnsweredServiceCidr),
        };
    }

    static ValueList<Cidr> Cidrs(ParseResult result, Option<string?> option) =>
        (result.GetValue(option) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(text => Cidr.TryParse(text, out var cidr, out var error) ? cidr : throw new AgentStateException($"{option.Name} {text}: {error}")).Order().ToValueList();

    static int Number(ParseResult result, Option<string?> option, int otherwise, int least, int most) =>
        result.GetValue(option) is not { } text ? otherwise
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
        : throw new AgentStateException($"{option.Name} {text}: write a number from {least} to {most}");

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
