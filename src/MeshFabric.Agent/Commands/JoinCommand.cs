using System.CommandLine;
using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Files;
using MeshFabric.Contracts.Http;
using MeshFabric.Net;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Commands;

/// <summary><c>meshfabric-agent join</c>.</summary>
static class JoinCommand
{
    static readonly Option<string> TokenFile = new("--token-file") { Description = "File with the join token, or - for standard input", Required = true };
    static readonly Option<string> Role = new("--role") { Description = "gateway of a cluster, or machine: this host alone, or the networks behind it", DefaultValueFactory = _ => "gateway" };
    static readonly Option<string?> Cluster = new("--cluster") { Description = "Cluster to join; needed when the token is not bound to one (machine: this host's name)" };
    static readonly Option<string?> Gateway = new("--gateway") { Description = "Name of this gateway in its cluster (default: this host's name)" };
    static readonly Option<string[]> Endpoints = new("--endpoint") { Description = "ADDRESS:PORT that other gateways can dial; repeat for several, best first; none: this gateway only dials out" };
    static readonly Option<int> ListenPort = new("--listen-port") { Description = "First UDP port; device k listens on this port plus k", DefaultValueFactory = _ => 51820 };
    static readonly Option<string?> InventoryOption = new("--inventory") { Description = "YAML file that says what this cluster is; watched from then on" };
    static readonly Option<string?> Kubeconfig = new("--kubeconfig") { Description = "Read the inventory from the Kubernetes API that this file names" };
    static readonly Option<string?> Context = new("--context") { Description = "Context of the kubeconfig" };
    static readonly Option<bool> InCluster = new("--in-cluster") { Description = "Read the inventory as the service account of this pod" };
    static readonly Option<string[]> PodCidrs = new("--pod-cidr") { Description = "Pod CIDR that the Kubernetes API cannot tell; repeat for several" };
    static readonly Option<string> State = AgentCommand.State();

    public static Command Create()
    {
        Role.AcceptOnlyFromAmong("gateway", "machine");
        var command = new Command("join", """
            Enrol this host, by a join token

            Examples:
              meshfabric-agent join --token-file - --gateway gw1 --endpoint 198.51.100.10:51820 < token
              meshfabric-agent join --token-file token --gateway gw1 --kubeconfig /etc/kubernetes/admin.conf
              meshfabric-agent join --token-file token --role machine --inventory site.yaml
            """)
        {
            TokenFile, Role, Cluster, Gateway, Endpoints, ListenPort, InventoryOption, Kubeconfig, Context, InCluster, PodCidrs, State,
        };
        command.SetAction((result, cancellationToken) => AgentCommand.RunAsync(() => JoinAsync(result, cancellationToken)));
        return command;
    }

    static async Task<int> JoinAsync(ParseResult result, CancellationToken cancellationToken)
    {
        var file = result.GetValue(TokenFile)!;
        var text = file == "-" ? await Console.In.ReadToEndAsync(cancellationToken) : await File.ReadAllTextAsync(file, cancellationToken);
        if (!JoinToken.TryDecode(text, out var token))
        {
            throw new EnrolmentException("this is no join token: it begins with mfj1_ and comes from 'mfctl token create'");
        }

        var settings = Settings(result);
        var host = HostName();
        var machine = result.GetValue(Role) == "machine";
        var request = new EnrolmentRequest(
            result.GetValue(Cluster) ?? (machine ? host : null),
            result.GetValue(Gateway) ?? host,
            result.GetValue(Endpoints) ?? [],
            result.GetValue(ListenPort),
            await InventoryAsync(settings, machine, cancellationToken),
            settings == InventorySettings.None ? null : settings);
        var identity = await Enroller.JoinAsync(new AgentStateDirectory(result.GetValue(State)!), token, request, cancellationToken);
        Console.WriteLine($"enrolled as {result.GetValue(Role)} {identity.Gateway} of cluster {identity.Cluster} at {identity.Server}");
        return 0;
    }

    // What is wrong with it is said here, before the token is used.
    static async Task<InventoryDocument?> InventoryAsync(InventorySettings settings, bool machine, CancellationToken cancellationToken)
    {
        using var logs = LoggerFactory.Create(_ => { });
        using var source = settings.Open(NoObservations.Instance, TimeProvider.System, logs);
        var inventory = source is null ? null : InventoryDocument.Of(await FirstReading.OfAsync(source, settings.Describe(), cancellationToken));
        return machine ? (inventory ?? new InventoryDocument(null, null, null, null, null, null, null, null, null)) with { Kind = "machine" } : inventory;
    }

    static InventorySettings Settings(ParseResult result)
    {
        var (file, kubeconfig, inCluster) = (result.GetValue(InventoryOption), result.GetValue(Kubeconfig), result.GetValue(InCluster));
        if (new[] { file is not null, kubeconfig is not null, inCluster }.Count(g => g) > 1)
        {
            throw new InventoryFileException("--inventory, --kubeconfig and --in-cluster exclude each other: give one of them");
        }

        var cidrs = (result.GetValue(PodCidrs) ?? []).Select(text => Cidr.TryParse(text, out var cidr, out var error) ? cidr : throw new InventoryFileException($"--pod-cidr {text}: {error}")).Order().ToValueList();
        if (cidrs.Count > 0 && kubeconfig is null && !inCluster)
        {
            throw new InventoryFileException("--pod-cidr goes with --kubeconfig or --in-cluster; an inventory file names its own podCidrs");
        }

        return new InventorySettings(file is null ? null : Path.GetFullPath(file), kubeconfig is null ? null : Path.GetFullPath(kubeconfig), result.GetValue(Context), inCluster, cidrs);
    }

    // First label, as RFC 1123 wants it.
    static string HostName() => Environment.MachineName.Split('.')[0].ToLowerInvariant();
}
