using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl cluster</c>: join, leave, look at and remove clusters.</summary>
static class ClusterCommands
{
    static readonly View<ClusterResource> View = new(c => $"cluster/{c.Metadata.Name}",
        new("NAME", c => c.Metadata.Name),
        new("STATE", c => c.Status.State),
        new("KIND", c => $"{c.Spec.Kind}".ToLowerInvariant(), Wide: true),
        new("PROVIDER", c => c.Spec.Provider),
        new("REGION", c => c.Spec.Region),
        new("ZONE", c => c.Spec.Zone, Wide: true),
        new("GATEWAYS", c => $"{c.Status.GatewaysConnected}/{c.Status.Gateways}"),
        new("LEAVES", c => c.Spec.Granularity == Granularity.Node || c.Status.Leaves > 0 ? $"{c.Status.LeavesConnected}/{c.Status.Leaves}" : "", Wide: true),
        new("TUNNELS", c => $"{c.Status.TunnelsConnected}/{c.Status.TunnelsWanted}"),
        new("PREFIXES", c => string.Join(",", c.Status.Prefixes.Select(Figures.Prefix))),
        new("KUBERNETES", c => c.Status.KubernetesVersion, Wide: true),
        new("CNI", c => c.Status.Networking is { } n ? Figures.Words(n.DataPath.Plugin, n.DataPath.Encapsulation) : "", Wide: true),
        new("POLICY", c => c.Status.Networking?.PolicyEngine.Name ?? "", Wide: true),
        new("PROXY", c => c.Status.Networking is { } n ? Figures.Words(n.ServiceProxy.Name, n.ServiceProxy.Mode) : "", Wide: true),
        new("LABELS", c => string.Join(",", c.Metadata.Labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}")), Wide: true),
        new("CREATED", c => Figures.At(c.Metadata.CreatedAt), Wide: true));

    public static Command Create(Cli cli) => new MeshCommand("cluster", "Clusters, sites and machines of the mesh", "mfctl cluster list", "mfctl cluster join --help")
    {
        Make(cli), ClusterJoinCommand.Create(cli), ClusterLeaveCommand.Create(cli), List(cli), Get(cli), Set(cli), Label(cli), Remove(cli),
    };

    /// <summary>A cluster's name that completes.</summary>
    public static Argument<string> Name(Cli cli, string name = "name", string description = "Name of the cluster")
    {
        var argument = new Argument<string>(name) { Description = description };
        argument.CompletionSources.Add(cli.Names.Clusters);
        return argument;
    }

    public static Option<string?> Filter(Cli cli, string description)
    {
        var option = new Option<string?>("--cluster") { HelpName = "NAME", Description = description };
        option.CompletionSources.Add(cli.Names.Clusters);
        return option;
    }

    static Command Make(Cli cli)
    {
        var name = new Argument<string>("name") { Description = "Name of the new cluster" };
        var kind = new Option<string?>("--kind") { HelpName = "KIND", Description = "kubernetes (default), site or machine" };
        kind.CompletionSources.Add("kubernetes", "site", "machine");
        var labels = new Option<string[]>("--label") { HelpName = "KEY=VALUE", Description = "Label; repeat for several" };
        var command = new MeshCommand("create", "Create a cluster without gateways, for agents that a chart or a manifest installs; join does it by itself",
            "mfctl cluster create aurora",
            "mfctl cluster create aurora --label env=production")
        {
            name, kind, labels,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var spec = new CreateClusterSpec(session.Get(kind) ?? "kubernetes", null, null, null, [], []);
            var made = await session.Client.CreateClusterAsync(new CreateCluster(session.Get(name), ClusterJoinCommand.Labels(session.Get(labels) ?? []), spec), cancellationToken);
            session.Printer.One(View, made);
            session.Note($"its agents need a join token: mfctl token create --cluster {made.Metadata.Name} --standing");
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command List(Cli cli)
    {
        var labels = new Option<string[]>("--label") { HelpName = "KEY=VALUE", Description = "Only clusters with this label; repeat for several" };
        var command = new MeshCommand("list", "List clusters", "mfctl cluster list", "mfctl cluster list --label env=production -o wide") { labels };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var query = string.Join("&", (session.Get(labels) ?? []).Select(l => $"label={Uri.EscapeDataString(l)}"));
            session.Printer.List(View, await session.Client.ListAsync<ClusterResource>(query.Length > 0 ? $"clusters?{query}" : "clusters", cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Get(Cli cli)
    {
        var name = Name(cli);
        var command = new MeshCommand("get", "Show one cluster", "mfctl cluster get aurora", "mfctl cluster get aurora -o yaml") { name };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var cluster = await session.Client.GetClusterAsync(session.Get(name), cancellationToken);
            session.Printer.One(View, cluster);
            foreach (var finding in cluster.Status.Findings)
            {
                session.Note($"  {finding.Code}: {finding.Message} {finding.Hint}");
            }

            if (cluster.Status.Networking is { } networking)
            {
                Describe(session, networking);
            }

            return ExitCode.Ok;
        }));
        return command;
    }

    static void Describe(Invocation session, ClusterNetworking networking)
    {
        var path = networking.DataPath;
        session.Note($"  networking: {Figures.Words(path.Plugin, path.Encapsulation, path.Version)}{Where(path.Source)}");
        session.Note($"  policies:   {networking.PolicyEngine.Name}{Where(networking.PolicyEngine.Source)}");
        session.Note($"  Services:   {Figures.Words(networking.ServiceProxy.Name, networking.ServiceProxy.Mode)}{Where(networking.ServiceProxy.Source)}");
        foreach (var finding in networking.Findings)
        {
            session.Note($"  {finding.Subject}: {finding.Code}: {finding.Message} {finding.Hint}".TrimEnd());
        }
    }

    static string Where(string source) => source.Length == 0 ? "" : $" ({source})";

    static Command Set(Cli cli)
    {
        var name = Name(cli);
        var advertise = new Option<bool?>("--advertise-services") { HelpName = "BOOL", Description = "Whether pods of other clusters reach its Services by their ClusterIPs, which get a prefix of the mesh" };
        advertise.CompletionSources.Add("true", "false");
        var granularity = new Option<string?>("--granularity") { HelpName = "WHERE", Description = "Where its tunnels end: gateway (its gateways, which hand on to the pods' nodes) or node (also each of its other nodes, for its own pods)" };
        granularity.CompletionSources.Add("gateway", "node");
        var command = new MeshCommand("set", "Change a cluster's settings",
            "mfctl cluster set aurora --advertise-services true",
            "mfctl cluster set aurora --advertise-services false",
            "mfctl cluster set aurora --granularity node")
        {
            name, advertise, granularity,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            if (session.Get(advertise) is null && session.Get(granularity) is null)
            {
                throw CommandException.Usage("nothing to set: give --advertise-services or --granularity");
            }

            var cluster = await session.Client.UpdateClusterAsync(session.Get(name), new UpdateCluster(new UpdateClusterSpec(session.Get(advertise)) { Granularity = session.Get(granularity) }), cancellationToken);
            session.Printer.One(View, cluster);
            if (session.Get(advertise) is true && cluster.Spec is { AdvertiseServices: true, ServiceCidrs.Count: 0 })
            {
                session.Note("its Service CIDR is not known yet: it is advertised as soon as its agents find it out; where they cannot, mfctl cluster join NAME --kubeconfig FILE --service-cidr CIDR says it");
            }

            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Label(Cli cli)
    {
        var name = Name(cli);
        var labels = new Argument<string[]>("labels") { Description = "KEY=VALUE sets a label, KEY- takes it away; others stay", Arity = ArgumentArity.OneOrMore };
        var command = new MeshCommand("label", "Declare labels of a cluster, which a topology chooses by; those that its inventory tells stay beside them",
            "mfctl cluster label aurora role=hub",
            "mfctl cluster label aurora env=production role-")
        {
            name, labels,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var wanted = new Dictionary<string, string?>(StringComparer.Ordinal);
            foreach (var text in session.Get(labels)!)
            {
                var (key, value) = text.Split('=', 2) is [var k, var v] ? (k, v) : (text.EndsWith('-') ? text[..^1] : "", (string?)null);
                if (key.Length == 0 || !wanted.TryAdd(key, value))
                {
                    throw CommandException.Usage($"{text}: write KEY=VALUE or KEY-, each key once");
                }
            }

            session.Printer.One(View, await session.Client.UpdateClusterAsync(session.Get(name), new UpdateCluster(null) { Labels = wanted }, cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Remove(Cli cli)
    {
        var name = Name(cli);
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask" };
        var command = new MeshCommand("remove", "Remove a cluster from the mesh: it is cut off everywhere at once. Its hosts are not touched: see leave",
            "mfctl cluster remove aurora",
            "mfctl cluster remove aurora --yes")
        {
            name, yes,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var cluster = session.Get(name);
            await session.ConfirmAsync(session.Get(yes), $"cuts {cluster} off", cluster, cancellationToken);
            await session.Client.DeleteClusterAsync(cluster, cancellationToken);
            session.Note($"cluster {cluster} is removed and cut off");
            return ExitCode.Ok;
        }));
        return command;
    }
}
