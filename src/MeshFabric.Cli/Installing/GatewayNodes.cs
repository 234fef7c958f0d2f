using System.Globalization;
using k8s;
using k8s.Models;
using MeshFabric.Installation;

namespace MeshFabric.Cli.Installing;

/// <summary>Which nodes of a cluster can be gateways, and the label that says so.</summary>
static class GatewayNodes
{
    static readonly string[] ControlPlane = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

    public static bool IsReady(V1Node node) => node.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    /// <summary>As the agents choose: those with the label, as far as they are ready; else those that are schedulable and not of the control plane; else all that are ready.</summary>
    public static int Candidates(IReadOnlyList<V1Node> nodes)
    {
        var labelled = nodes.Where(n => Label(n) == "true").ToList();
        var ready = (labelled.Count > 0 ? labelled : nodes).Where(IsReady).ToList();
        var wanted = ready.Where(n => Label(n) != "false").ToList();
        var workers = wanted.Count(n => n.Spec?.Unschedulable != true && !ControlPlane.Any(l => n.Metadata.Labels?.ContainsKey(l) == true));
        return labelled.Count > 0 || workers == 0 ? wanted.Count : workers;
    }

    /// <summary>Labels the nodes that a selector names, and takes our label off the others. What somebody else labelled stays.</summary>
    /// <param name="selector">Of Kubernetes: <c>role=edge</c>, <c>zone in (a,b)</c>.</param>
    public static async Task<int> LabelAsync(ClusterApi api, string selector, CancellationToken cancellationToken)
    {
        var named = await SelectAsync(api, selector, cancellationToken);
        if (named.Count == 0)
        {
            throw new CommandException(ExitCode.Conflict, $"no node of the cluster at {api.Address} has the label {selector}", "kubectl get nodes --show-labels");
        }

        foreach (var node in named)
        {
            await api.ApplyAsync(Labelled(node.Metadata.Name, "true"), cancellationToken);
        }

        await UnlabelAsync(api, named.Select(n => n.Metadata.Name).ToHashSet(), cancellationToken);
        return named.Count;
    }

    /// <summary>Takes the labels off that we have put on.</summary>
    public static async Task UnlabelAsync(ClusterApi api, IReadOnlySet<string> except, CancellationToken cancellationToken)
    {
        foreach (var node in (await SelectAsync(api, $"{InstallationNames.GatewayLabel}=true", cancellationToken)).Where(n => IsLabelOurs(n) && !except.Contains(n.Metadata.Name)))
        {
            // Applying less than before gives up the field (server-side apply).
            await api.ApplyAsync(Labelled(node.Metadata.Name, null), cancellationToken);
        }
    }

    /// <summary>N of a gateway that is named gwN, as those of agents in pods are; 0 of any other.</summary>
    public static int SlotNumber(string gateway) =>
        gateway.StartsWith("gw", StringComparison.Ordinal) && int.TryParse(gateway.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    static bool IsLabelOurs(V1Node node) => node.Metadata.ManagedFields?.Any(f => f is { Manager: InstallationNames.FieldManager, Operation: "Apply" }) == true;

    static async Task<IReadOnlyList<V1Node>> SelectAsync(ClusterApi api, string selector, CancellationToken cancellationToken) =>
        [.. (await api.AskAsync($"list nodes with {selector}", k => k.CoreV1.ListNodeAsync(labelSelector: selector, cancellationToken: cancellationToken), cancellationToken)).Items];

    static V1Node Labelled(string name, string? value) => new()
    {
        ApiVersion = "v1",
        Kind = V1Node.KubeKind,
        Metadata = new V1ObjectMeta { Name = name, Labels = value is null ? null : new Dictionary<string, string> { [InstallationNames.GatewayLabel] = value } },
    };

    static string? Label(V1Node node) => node.Metadata.Labels is { } labels && labels.TryGetValue(InstallationNames.GatewayLabel, out var value) ? value : null;
}
