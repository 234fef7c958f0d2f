using k8s.Models;
using MeshFabric.Installation;

namespace MeshFabric.Agent.Nodes;

/// <summary>A place for a gateway, and who has it.</summary>
/// <param name="Name">Of the gateway: gw1, gw2, ...</param>
/// <param name="Holder">Node; null when nobody ever had it or its holder gave it back.</param>
/// <param name="Expired">The holder did not renew it for as long as this agent watched.</param>
public sealed record GatewaySlot(string Name, string? Holder, bool Expired)
{
    public bool IsFree => Holder is null || Expired;

    /// <summary>How long this agent has seen it free.</summary>
    public TimeSpan FreeFor { get; init; }
}

/// <summary>Which node should take which free slot. Pure: every agent of the cluster comes to the same answer, and a lease decides where they do not.</summary>
/// <remarks>Nodes with the label <c>meshfabric.io/gateway=true</c> that are ready; where none has it, all that are ready, schedulable and not part of the control plane; where there is none either, all that are ready.</remarks>
public static class GatewayElection
{
    const string Label = InstallationNames.GatewayLabel;
    const string Zone = "topology.kubernetes.io/zone";

    /// <summary>How long a node waits for each better one to take a slot: its agent may not run, or not be able to enrol.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    static readonly string[] ControlPlane = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

    public static IReadOnlyList<GatewaySlot> Slots(int count, IReadOnlyCollection<GatewaySlot> known) =>
        Enumerable.Range(1, count).Select(i => known.FirstOrDefault(s => s.Name == $"gw{i}") ?? new GatewaySlot($"gw{i}", null, false)).ToList();

    /// <returns>The slot that this node should take now, or null.</returns>
    public static string? Choose(IReadOnlyCollection<V1Node> nodes, IReadOnlyList<GatewaySlot> slots, string node)
    {
        if (slots.Any(s => s.Holder == node && !s.Expired))
        {
            return null;
        }

        // Whoever had a slot before takes it again: its keys and its state are there.
        var own = slots.FirstOrDefault(s => s.Holder == node);
        var free = slots.Where(s => s.IsFree && s != own).OrderBy(s => s.Holder is null ? 0 : 1).ThenBy(s => s.Name, StringComparer.Ordinal).ToList();
        if (own is not null && IsCandidate(nodes, node))
        {
            return own.Name;
        }

        var holders = slots.Where(s => !s.IsFree).Select(s => s.Holder!).ToHashSet(StringComparer.Ordinal);
        var zones = nodes.Where(n => holders.Contains(n.Metadata.Name)).Select(ZoneOf).ToList();
        foreach (var slot in free)
        {
            // The last holder of an expired slot is most likely dead: it comes last.
            var best = Candidates(nodes).Where(n => !holders.Contains(n.Metadata.Name))
                .OrderBy(n => n.Metadata.Name == slot.Holder ? 1 : 0)
                .ThenBy(n => zones.Count(z => z == ZoneOf(n)))
                .ThenBy(n => n.Metadata.Name, StringComparer.Ordinal)
                .ToList();
            if (best.Count == 0)
            {
                return null;
            }

            var before = best.FindIndex(n => n.Metadata.Name == node);
            if (before >= 0 && slot.FreeFor >= before * Patience)
            {
                return slot.Name;
            }

            holders.Add(best[0].Metadata.Name);
            zones.Add(ZoneOf(best[0]));
        }

        return null;
    }

    public static bool IsCandidate(IReadOnlyCollection<V1Node> nodes, string node) => Candidates(nodes).Exists(n => n.Metadata.Name == node);

    /// <summary>Some node could take a slot that were free.</summary>
    public static bool IsAnybodyFree(IReadOnlyCollection<V1Node> nodes, IReadOnlyList<GatewaySlot> slots) =>
        Candidates(nodes).Exists(c => !slots.Any(s => s.Holder == c.Metadata.Name && !s.IsFree));

    /// <summary>False: this node holds a slot, should not, and gives it back, for another can take it. One at a time, and only while all other gateways work.</summary>
    /// <param name="works">Whether a node is, for the cluster to see, the gateway of that name.</param>
    public static bool MayKeep(IReadOnlyCollection<V1Node> nodes, IReadOnlyList<GatewaySlot> slots, string node, Func<string, string, bool> works)
    {
        if (IsCandidate(nodes, node) || !IsAnybodyFree(nodes, slots))
        {
            return true;
        }

        var others = slots.Where(s => s.Holder != node).ToList();
        return others.Exists(s => s.IsFree || !works(s.Name, s.Holder!))
            || others.Exists(s => string.CompareOrdinal(s.Holder, node) < 0 && !IsCandidate(nodes, s.Holder!));
    }

    static List<V1Node> Candidates(IReadOnlyCollection<V1Node> nodes)
    {
        // Whoever labelled a node wants no other in its place, not even while that one is down.
        var labelled = nodes.Where(n => n.Metadata.Labels?.TryGetValue(Label, out var value) == true && value == "true").ToList();
        var ready = (labelled.Count > 0 ? labelled : nodes).Where(n => n.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true && n.Metadata.DeletionTimestamp is null).ToList();
        var wanted = ready.Where(n => n.Metadata.Labels?.TryGetValue(Label, out var value) != true || value != "false").ToList();
        var workers = wanted.Where(n => n.Spec?.Unschedulable != true && !ControlPlane.Any(l => n.Metadata.Labels?.ContainsKey(l) == true)).ToList();
        return labelled.Count > 0 || workers.Count == 0 ? wanted : workers;
    }

    static string ZoneOf(V1Node node) => node.Metadata.Labels?.TryGetValue(Zone, out var zone) == true ? zone : "";
}
