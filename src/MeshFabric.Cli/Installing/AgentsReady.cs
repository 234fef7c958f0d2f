using System.Globalization;
using k8s.Models;
using MeshFabric.Installation;

namespace MeshFabric.Cli.Installing;

/// <summary>How far the agents of a cluster are.</summary>
/// <param name="Wanted">Nodes that shall run one.</param>
/// <param name="Ready">Nodes whose agent, of the wanted version, is ready.</param>
/// <param name="Troubles">One sentence for each agent that cannot run.</param>
sealed record AgentsReady(int Wanted, int Ready, IReadOnlyList<string> Troubles)
{
    public bool All => Wanted > 0 && Ready >= Wanted;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Ready} of {Wanted} nodes ready");

    public static async Task<AgentsReady> LookAsync(ClusterApi api, CancellationToken cancellationToken)
    {
        var agents = await api.FindAsync<V1DaemonSet>(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken);
        return agents is null ? new AgentsReady(0, 0, []) : Of(agents, await api.PodsAsync(cancellationToken), await api.NodesAsync(cancellationToken));
    }

    /// <summary>A node that is not ready itself is named, and not waited for: its agent joins with it.</summary>
    public static AgentsReady Of(V1DaemonSet agents, IReadOnlyCollection<V1Pod> pods, IReadOnlyCollection<V1Node> nodes)
    {
        var status = agents.Status;
        var down = nodes.Where(n => !GatewayNodes.IsReady(n)).Select(n => n.Metadata.Name).Where(n => pods.Any(p => p.Spec?.NodeName == n)).Order(StringComparer.Ordinal).ToList();
        // What it counts is of an older template until the controller has seen the newest.
        var seen = status is not null && status.ObservedGeneration >= agents.Metadata.Generation;
        return new AgentsReady(
            seen ? Math.Max(status!.DesiredNumberScheduled - down.Count, 0) : 0,
            seen ? Math.Min(status!.NumberReady, status.UpdatedNumberScheduled ?? 0) : 0,
            [.. down.Select(n => $"node {n} is not ready: its pods join the mesh when it is"), .. pods.Where(p => p.Spec?.NodeName is not { } node || !down.Contains(node)).SelectMany(Troubled).Distinct()]);
    }

    static IEnumerable<string> Troubled(V1Pod pod)
    {
        foreach (var container in pod.Status?.ContainerStatuses ?? [])
        {
            if (container.State?.Waiting is { Reason: not ("ContainerCreating" or "PodInitializing") } waiting)
            {
                yield return $"{Where(pod)}: {waiting.Reason}{(waiting.Message is { Length: > 0 } message ? $": {message}" : "")}";
            }
            else if (container is { Ready: false, State.Running: not null })
            {
                yield return $"{Where(pod)}: the agent runs and is not ready: kubectl -n {InstallationNames.Namespace} logs {pod.Metadata.Name}";
            }
        }

        foreach (var condition in pod.Status?.Conditions?.Where(c => c is { Type: "PodScheduled", Status: "False" }) ?? [])
        {
            yield return $"{Where(pod)}: {condition.Reason}: {condition.Message}";
        }
    }

    static string Where(V1Pod pod) => pod.Spec?.NodeName is { Length: > 0 } node ? $"node {node}" : $"pod {pod.Metadata.Name}";
}
