using MeshFabric.Contracts;
using MeshFabric.Control.Api;
using MeshFabric.Domain;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>Agents that are heard of and do not know what is declared. One that is away is told of when it is back.</summary>
public static class OldAgents
{
    const int MostNamed = 10;

    /// <summary>Those that plan a full mesh whatever the topology is: CLUSTER/GATEWAY (VERSION), in order.</summary>
    public static async Task<IReadOnlyList<string>> WithoutTopologiesAsync(MeshDbContext db, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var oldest = now - Liveness.Limit;
        var old = await db.Gateways.AsNoTracking().Where(g => g.LastSeen >= oldest && !g.Capabilities.Contains(AgentCapabilities.Topologies))
            .Select(g => new { Cluster = g.Cluster!.Name, g.Name, g.AgentVersion }).ToListAsync(cancellationToken);
        return old.Select(g => $"{g.Cluster}/{g.Name} ({g.AgentVersion})").Order(StringComparer.Ordinal).ToList();
    }

    /// <exception cref="Refusal">There are some.</exception>
    public static void Refuse(IReadOnlyList<string> old)
    {
        if (old.Count > 0)
        {
            throw Refusal.Conflict("agents-too-old", $"Agents that know no topologies are heard of: {Named(old)}. They would go on wanting tunnels to every cluster, and send what is for the others into them. Upgrade them first, or remove these gateways (mfctl gateway remove).");
        }
    }

    /// <summary>Those that came while another topology than the full mesh was declared; one sentence, or none.</summary>
    public static async Task<IReadOnlyList<string>> WarningsAsync(MeshDbContext db, MeshSettings settings, DateTimeOffset now, CancellationToken cancellationToken) =>
        settings.Topology is not null && await WithoutTopologiesAsync(db, now, cancellationToken) is { Count: > 0 } old
            ? [$"Agents that know no topologies are heard of: {Named(old)}. They want tunnels to every cluster, and send what is for the others into them: upgrade them."]
            : [];

    static string Named(IReadOnlyList<string> old) => string.Join(", ", old.Take(MostNamed)) + (old.Count > MostNamed ? $" and {old.Count - MostNamed} more" : "");
}
