using System.Text.Json;
using k8s.Models;
using MeshFabric.Installation;

namespace MeshFabric.Cli.Installing;

/// <summary>Nodes of a cluster that leaves, by name: which are clean, which are still waited for.</summary>
sealed record AgentNodes(IReadOnlyList<string> Left, IReadOnlyList<string> Waiting)
{
    public static async Task<AgentNodes> LookAsync(ClusterApi api, CancellationToken cancellationToken) => Of(
        (await api.NodesAsync(cancellationToken)).Select(n => n.Metadata.Name),
        await api.PodsAsync(cancellationToken),
        await api.ListCustomAsync(InstallationNames.Nodes, cancellationToken));

    /// <summary>Every node that is there and where an agent runs or has reported. One that never ran has left nothing behind.</summary>
    /// <param name="reports">The MeshNode objects.</param>
    public static AgentNodes Of(IEnumerable<string> nodes, IEnumerable<V1Pod> pods, IEnumerable<JsonElement> reports)
    {
        var said = reports.ToDictionary(r => r.GetProperty("metadata").GetProperty("name").GetString()!, HasLeft);
        var ran = pods.Where(p => p.Status?.Phase == "Running" && p.Spec?.NodeName is not null).Select(p => p.Spec.NodeName).Concat(said.Keys).ToHashSet();
        var concerned = nodes.Where(ran.Contains).Order(StringComparer.Ordinal).ToLookup(n => said.GetValueOrDefault(n));
        return new AgentNodes([.. concerned[true]], [.. concerned[false]]);
    }

    static bool HasLeft(JsonElement report) =>
        report.TryGetProperty("status", out var status) && status.ValueKind == JsonValueKind.Object && status.TryGetProperty("left", out var left) && left.ValueKind == JsonValueKind.True;
}
