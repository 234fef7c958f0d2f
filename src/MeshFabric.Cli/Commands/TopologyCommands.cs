using System.CommandLine;
using System.Text;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl topology</c>: who has tunnels to whom.</summary>
static class TopologyCommands
{
    static readonly View<TopologyCluster> View = new(c => $"cluster/{c.Name}",
        new("CLUSTER", c => c.Name),
        new("ROLE", c => c.Role),
        new("REGION", c => c.Region),
        new("DIRECT", c => $"{c.Linked}"),
        new("BY-HUBS", c => $"{c.ByHubs}"),
        new("UNREACHED", c => c.Unreached == 0 ? "" : string.Join(",", c.UnreachedNames) + (c.Unreached > c.UnreachedNames.Count ? $" and {c.Unreached - c.UnreachedNames.Count} more" : "")));

    public static Command Create(Cli cli) => new MeshCommand("topology", "Which clusters have tunnels to each other, and which reach each other by hubs", "mfctl topology get", "mfctl topology graph --as dot | dot -Tsvg > mesh.svg")
    {
        Get(cli), Graph(cli),
    };

    static Command Get(Cli cli)
    {
        var command = new MeshCommand("get", "Show the topology, and what it is for each cluster; change it with mfctl apply", "mfctl topology get", "mfctl topology get -o yaml > topology.yaml");
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var topology = await session.Client.GetTopologyAsync(cancellationToken);
            session.Printer.Print(View, topology, topology.Status.Clusters);
            if (session.Printer.IsTable)
            {
                topology.Status.Warnings.ToList().ForEach(session.Warn);
                session.Note($"{topology.Spec.Type}{Words(topology.Spec)}, {topology.Status.Tunnels} tunnels");
            }

            return ExitCode.Ok;
        }));
        return command;
    }

    static string Words(TopologySpec spec) => string.Concat(
        spec.Hubs is null ? "" : $", hubs {spec.Hubs}",
        spec.RegionLabel is null ? "" : $", regions by {spec.RegionLabel}",
        spec.Transit == false ? ", nothing handed on" : "",
        spec.Pairs is null ? "" : $", {spec.Pairs.Count} pair(s)");

    static Command Graph(Cli cli)
    {
        var format = new Option<string?>("--as") { HelpName = "FORMAT", Description = "mermaid (default) or dot" };
        format.CompletionSources.Add("mermaid", "dot");
        format.Validators.Add(result =>
        {
            if (result.GetValue(format) is not (null or "mermaid" or "dot"))
            {
                result.AddError($"--as {result.GetValue(format)}: mermaid or dot is needed");
            }
        });
        var command = new MeshCommand("graph", "Draw the mesh as text for a drawing program: a line for each two clusters with tunnels, dashed where one of them is relayed, with how many are connected", "mfctl topology graph", "mfctl topology graph --as dot | dot -Tsvg > mesh.svg") { format };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var topology = await session.Client.GetTopologyAsync(cancellationToken);
            var tunnels = await session.Client.ListAsync<TunnelResource>("tunnels", cancellationToken);
            var links = tunnels.GroupBy(t => (A: t.Spec.A.Cluster, B: t.Spec.B.Cluster)).OrderBy(g => g.Key.A, StringComparer.Ordinal).ThenBy(g => g.Key.B, StringComparer.Ordinal)
                .Select(g => new Link(g.Key.A, g.Key.B, g.Count(t => t.Status.State == "connected"), g.Count(), g.Any(t => t.Status.Relay is not null))).ToList();
            session.Shell.Out.Write(session.Get(format) == "dot" ? Dot(topology, links) : Mermaid(topology, links));
            return ExitCode.Ok;
        }));
        return command;
    }

    sealed record Link(string A, string B, int Connected, int Tunnels, bool IsRelayed);

    // Names are RFC 1123 labels: only the hyphen is in the way.
    static string Id(string name) => name.Replace('-', '_');

    static string Mermaid(TopologyResource topology, List<Link> links)
    {
        var text = new StringBuilder("graph LR\n");
        foreach (var region in topology.Status.Clusters.GroupBy(c => c.Region).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var indent = region.Key.Length > 0 ? "    " : "  ";
            text.Append(region.Key.Length > 0 ? $"  subgraph region_{Id(region.Key)} [\"{region.Key}\"]\n" : "");
            foreach (var cluster in region)
            {
                text.Append(cluster.Role == "hub" ? $"{indent}{Id(cluster.Name)}{{{{\"{cluster.Name}\"}}}}\n" : $"{indent}{Id(cluster.Name)}[\"{cluster.Name}\"]\n");
            }

            text.Append(region.Key.Length > 0 ? "  end\n" : "");
        }

        links.ForEach(l => text.Append($"  {Id(l.A)} {(l.IsRelayed ? "-.-" : "---")}|{l.Connected}/{l.Tunnels}| {Id(l.B)}\n"));
        return text.ToString();
    }

    static string Dot(TopologyResource topology, List<Link> links)
    {
        var text = new StringBuilder("graph mesh {\n  node [shape=box];\n");
        foreach (var region in topology.Status.Clusters.GroupBy(c => c.Region).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var indent = region.Key.Length > 0 ? "    " : "  ";
            text.Append(region.Key.Length > 0 ? $"  subgraph \"cluster_{region.Key}\" {{\n    label=\"{region.Key}\";\n" : "");
            foreach (var cluster in region)
            {
                text.Append($"{indent}\"{cluster.Name}\"{(cluster.Role == "hub" ? " [shape=hexagon]" : "")};\n");
            }

            text.Append(region.Key.Length > 0 ? "  }\n" : "");
        }

        links.ForEach(l => text.Append($"  \"{l.A}\" -- \"{l.B}\" [label=\"{l.Connected}/{l.Tunnels}\"{(l.IsRelayed ? ", style=dashed" : "")}{(l.Connected < l.Tunnels ? ", color=red" : "")}];\n"));
        return text.Append("}\n").ToString();
    }
}
