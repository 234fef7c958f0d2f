using System.CommandLine;
using MeshFabric.Contracts.Files;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.Installation;
using MeshFabric.Net;

namespace MeshFabric.Cli.Commands;

/// <summary>What <c>mfctl cluster join</c> was asked for, read from its command line.</summary>
static class ClusterJoinCommand
{
    public static Command Create(Cli cli)
    {
        var name = new Argument<string>("name") { Description = "Name of the new cluster" };
        var inventory = new Option<string?>("--inventory") { HelpName = "FILE", Description = "Inventory (YAML); or describe the cluster by the options below" };
        var kind = new Option<string?>("--kind") { HelpName = "KIND", Description = "site (default), machine or kubernetes" };
        kind.CompletionSources.Add("site", "machine", "kubernetes");
        var provider = new Option<string?>("--provider") { HelpName = "TEXT", Description = "Such as aws, gcp, on-premises" };
        var region = new Option<string?>("--region") { HelpName = "TEXT", Description = "Such as eu-central-1" };
        var zone = new Option<string?>("--zone") { HelpName = "TEXT", Description = "Such as eu-central-1a" };
        var podCidrs = new Option<string[]>("--pod-cidr") { HelpName = "CIDR", Description = "Prefix to join to the mesh; repeat for several" };
        var serviceCidrs = new Option<string[]>("--service-cidr") { HelpName = "CIDR", Description = "Addresses of its Services; repeat for several; with --kubeconfig what the cluster says. Part of the mesh only with --advertise-services" };
        var advertise = new Option<bool>("--advertise-services") { Description = "Let pods of other clusters reach its Services by their ClusterIPs, which get a prefix of the mesh" };
        var labels = new Option<string[]>("--label") { HelpName = "KEY=VALUE", Description = "Label; repeat for several" };
        var gateways = new Option<string[]>("--gateway") { HelpName = "NAME[=ADDRESS:PORT]", Description = "A gateway; without an address it only dials out; repeat for several" };
        var kubeconfig = new Option<string?>("--kubeconfig") { HelpName = "FILE", Description = "Run the agents as pods of this cluster; with --gateway: gateways outside pods, whose agents read the inventory from this Kubernetes API" };
        var kubeContext = new Option<string?>("--kube-context") { HelpName = "NAME", Description = "Context of the kubeconfig" };
        var gatewayCount = new Option<int?>("--gateways") { HelpName = "N", Description = "How many nodes of the cluster are gateways at a time, 1 to 8; default 2" };
        var gatewaySelector = new Option<string?>("--gateway-selector") { HelpName = "SELECTOR", Description = $"Label the nodes that this selector names {InstallationNames.GatewayLabel}=true: only such nodes become gateways, when there are any" };
        var image = new Option<string?>("--image") { HelpName = "REF", Description = $"The agent's image; default {DefaultImage}" };
        var cniConfig = new Option<string?>("--cni-config-dir") { HelpName = "DIRECTORY", Description = "Where the nodes keep their CNI plug-in's configuration; default: as k3s, MicroK8s or others do, by what the nodes say" };
        var metricsPort = new Option<int?>("--metrics-port") { HelpName = "PORT", Description = $"TCP port on each node's loopback for the agent's metrics and health, when something else has {InstallationSettings.DefaultMetricsPort}" };
        var noWait = new Option<bool>("--no-wait") { Description = "Do not wait until the agents run and the tunnels are connected" };
        var via = new Option<string?>("--via") { HelpName = "COMMAND", Description = "Command that runs a command on a gateway, such as 'ssh root@{gateway}'; without it the command to run is printed" };
        var agent = Agent();
        var state = State();
        var wait = new Option<bool>("--wait") { Description = "Wait until the tunnels are connected, at most --timeout" };
        var dryRun = new Option<string?>("--dry-run") { HelpName = "client", Description = "Only show what its addresses would become, or with --kubeconfig what would be applied (-o yaml); changes nothing", Arity = ArgumentArity.ZeroOrOne };
        dryRun.CompletionSources.Add("client");
        var command = new MeshCommand("join", "Join a cluster: check it, create it, install its agents or enrol its gateways, wait until it is connected",
            "mfctl cluster join aurora --kubeconfig aurora.kubeconfig",
            "mfctl cluster join aurora --kubeconfig aurora.kubeconfig --advertise-services",
            "mfctl cluster join aurora --kubeconfig aurora.kubeconfig --gateways 3 --dry-run=client -o yaml",
            "mfctl cluster join aurora --inventory aurora.yaml --gateway gw1=198.51.100.1:51820 --via 'ssh root@{gateway}' --wait",
            "mfctl cluster join aurora --kubeconfig /etc/kubernetes/admin.conf --gateway gw1=198.51.100.1:51820 --via 'ssh root@{gateway}' --wait",
            "mfctl cluster join plant --provider on-premises --pod-cidr 10.40.0.0/16 --gateway gw1 --dry-run",
            "mfctl cluster join laptop --kind machine --label owner=kim --gateway gw1")
        {
            name, inventory, kind, provider, region, zone, podCidrs, serviceCidrs, advertise, labels, kubeconfig, kubeContext, gatewayCount, gatewaySelector, image, cniConfig, metricsPort, noWait, gateways, via, agent, state, wait, dryRun,
        };
        command.SetAction(cli.Remote((session, cancellationToken) =>
        {
            var isDryRun = session.IsGiven(dryRun);
            if (session.Get(dryRun) is not (null or "client"))
            {
                throw CommandException.Usage($"--dry-run {session.Get(dryRun)}: write --dry-run or --dry-run=client");
            }

            if (!ResourceName.IsValid(session.Get(name)))
            {
                // A dry run asks nobody who would say so.
                throw CommandException.Usage($"'{session.Get(name)}' cannot be a cluster's name: {ResourceName.Rule}");
            }

            if (session.Get(kubeconfig) is not null && !session.IsGiven(gateways))
            {
                if (new Option[] { inventory, via, agent, state }.FirstOrDefault(session.IsGiven) is { } foreign)
                {
                    throw CommandException.Usage($"{foreign.Name} is for gateways outside pods: add --gateway NAME=ADDRESS:PORT, or leave {foreign.Name} out, for agents in the cluster find it by themselves");
                }

                if (session.Get(kind) is not (null or "kubernetes"))
                {
                    throw CommandException.Usage($"--kubeconfig makes it a Kubernetes cluster, not a {session.Get(kind)}: leave --kind out");
                }

                var installed = new CreateCluster(session.Get(name), Labels(session.Get(labels) ?? []), new CreateClusterSpec("kubernetes", session.Get(provider), session.Get(region), session.Get(zone), [], [], session.Get(advertise)));
                var install = new InstallRequest(installed, session.Get(kubeconfig)!, session.Get(kubeContext), Settings(session.Get(name), session.Get(image), session.Get(gatewayCount), session.Get(podCidrs) ?? [], session.Get(serviceCidrs) ?? [], session.Get(cniConfig), session.Get(metricsPort)), session.Get(gatewaySelector), !session.Get(noWait))
                {
                    Given = new GivenSettings(session.IsGiven(image), session.IsGiven(gatewayCount), session.IsGiven(podCidrs), session.IsGiven(serviceCidrs), session.IsGiven(metricsPort)),
                };
                return isDryRun ? Task.FromResult(ClusterInstall.Print(session, install)) : ClusterInstall.RunAsync(session, install, cancellationToken);
            }

            if (new Option[] { gatewayCount, gatewaySelector, image, cniConfig, metricsPort, noWait }.FirstOrDefault(session.IsGiven) is { } inPods)
            {
                throw CommandException.Usage($"{inPods.Name} is for agents that run as pods: add --kubeconfig FILE and leave --gateway out");
            }

            var described = new Option[] { kind, provider, region, zone, podCidrs, serviceCidrs, labels }.FirstOrDefault(session.IsGiven);
            if (session.Get(inventory) is not null && described is not null)
            {
                throw CommandException.Usage($"--inventory and {described.Name} say the same thing: use one of them");
            }

            if (session.Get(kubeconfig) is not null && (session.Get(inventory) is not null || session.Get(kind) is not (null or "kubernetes")))
            {
                throw CommandException.Usage("--kubeconfig makes it a Kubernetes cluster that its agents describe: leave --inventory and --kind out");
            }

            if (session.Get(kubeContext) is not null && session.Get(kubeconfig) is null)
            {
                throw CommandException.Usage("--kube-context is a context of --kubeconfig: add --kubeconfig FILE");
            }

            var source = Source(session.Get(kubeconfig), session.Get(kubeContext), session.Get(podCidrs) ?? []);
            var cluster = session.Get(inventory) is { } file
                ? OfFile(session.Get(name), file)
                : new CreateCluster(session.Get(name), Labels(session.Get(labels) ?? []), new CreateClusterSpec(
                    session.Get(kind) ?? (source.Count > 0 ? "kubernetes" : "site"), session.Get(provider), session.Get(region), session.Get(zone), session.Get(podCidrs) ?? [], session.Get(serviceCidrs) ?? [], session.Get(advertise)));
            if (session.Get(advertise) && cluster.Spec is { Kind: not "kubernetes" })
            {
                throw CommandException.Usage("--advertise-services is for Kubernetes clusters: a site or machine has no service proxy");
            }

            var asked = (session.Get(gateways) ?? []).Select(Gateway).ToList();
            if (asked.Count == 0 && !isDryRun)
            {
                throw CommandException.Usage("a cluster needs a gateway: add --gateway NAME=ADDRESS:PORT, or --gateway NAME for one that only dials out; or --kubeconfig FILE to run the agents as its pods");
            }

            if (asked.GroupBy(g => g.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            {
                throw CommandException.Usage($"--gateway {twice.Key} is given twice");
            }

            var request = new JoinRequest(cluster, asked, source, Remote.Of(session.Get(via), asked.Select(g => g.Name).ToList()), session.Get(agent) ?? DefaultAgent, session.Get(state), session.Get(wait));
            return isDryRun ? ClusterJoin.PlanAsync(session, request, cancellationToken) : ClusterJoin.RunAsync(session, request, cancellationToken);
        }));
        return command;
    }

    static readonly string DefaultImage = $"meshfabric/agent:{VersionCommand.Own}";

    static InstallationSettings Settings(string cluster, string? image, int? gateways, string[] podCidrs, string[] serviceCidrs, string? cniConfig, int? metricsPort)
    {
        if (gateways is < 1 or > GatewayFacts.MaxPerCluster)
        {
            throw CommandException.Usage($"--gateways {gateways}: a number from 1 to {GatewayFacts.MaxPerCluster} is needed");
        }

        if (metricsPort is < 1 or > 65535)
        {
            throw CommandException.Usage($"--metrics-port {metricsPort}: a number from 1 to 65535 is needed");
        }

        foreach (var (option, cidr) in podCidrs.Select(c => ("--pod-cidr", c)).Concat(serviceCidrs.Select(c => ("--service-cidr", c))))
        {
            if (!Cidr.TryParse(cidr, out _, out var error))
            {
                throw CommandException.Usage($"{option} {cidr}: {error}");
            }
        }

        if (cniConfig is not null && !cniConfig.StartsWith('/'))
        {
            throw CommandException.Usage($"--cni-config-dir {cniConfig}: write the whole path of a directory on the nodes, such as {InstallationSettings.DefaultCniConfigDirectory}");
        }

        return image is { Length: 0 } || image?.Any(char.IsWhiteSpace) == true
            ? throw CommandException.Usage($"--image '{image}' is no reference of an image, such as registry.example.org/meshfabric/agent:1.0")
            : new InstallationSettings(cluster, image ?? DefaultImage) { Gateways = gateways ?? InstallationSettings.DefaultGateways, PodCidrs = podCidrs, ServiceCidrs = serviceCidrs, CniConfigDirectory = cniConfig, MetricsPort = metricsPort ?? InstallationSettings.DefaultMetricsPort };
    }

    public const string DefaultAgent = "meshfabric-agent";

    public static Option<string?> Agent() => new("--agent") { HelpName = "PROGRAM", Description = $"The agent's program on the gateways; default {DefaultAgent}" };

    public static Option<string?> State() => new("--state") { HelpName = "DIRECTORY", Description = "The agent's state directory on the gateways; may contain {gateway}" };

    static CreateCluster OfFile(string name, string file)
    {
        try
        {
            var inventory = InventoryFile.Read(file).Inventory;
            return new CreateCluster(name, inventory.Labels, new CreateClusterSpec(inventory.Kind, inventory.Provider, inventory.Region, inventory.Zone, inventory.PodCidrs, inventory.ServiceCidrs) { Beacons = inventory.Beacons });
        }
        catch (InventoryFileException e)
        {
            throw CommandException.Usage(e.Message);
        }
    }

    static List<string> Source(string? kubeconfig, string? context, string[] podCidrs) => kubeconfig is null
        ? []
        : ["--kubeconfig", kubeconfig, .. context is null ? Array.Empty<string>() : ["--context", context], .. podCidrs.SelectMany(c => new[] { "--pod-cidr", c })];

    static JoinGateway Gateway(string text) => text.Split('=', 2) switch
    {
        [{ Length: > 0 } name] => new JoinGateway(name, null),
        [{ Length: > 0 } name, var endpoint] when UdpEndpoint.TryParse(endpoint, out _) => new JoinGateway(name, endpoint),
        _ => throw CommandException.Usage($"--gateway {text}: write NAME=ADDRESS:PORT, such as gw1=198.51.100.1:51820, or NAME for one that only dials out"),
    };

    public static Dictionary<string, string> Labels(string[] texts)
    {
        var labels = new Dictionary<string, string>();
        foreach (var text in texts)
        {
            if (text.Split('=', 2) is not [{ Length: > 0 } key, var value] || !labels.TryAdd(key, value))
            {
                throw CommandException.Usage($"--label {text}: write KEY=VALUE, each key once");
            }
        }

        return labels;
    }
}
