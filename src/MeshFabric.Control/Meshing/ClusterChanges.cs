using MeshFabric.Control.Api;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>What happens to clusters, each inside a <see cref="FactsChange"/>.</summary>
public static class ClusterChanges
{
    const string PodCidrsUnknownCode = "pod-cidrs-unknown";
    const int MaxLabels = 64;

    /// <param name="declared">Labels, by somebody who may declare them.</param>
    public static async Task<ClusterRow> CreateAsync(FactsChange change, string name, ClusterInventory inventory, IReadOnlyDictionary<string, string> declared, bool advertiseServices, Caller caller, string pointer, CancellationToken cancellationToken)
    {
        if (await change.Db.Clusters.AnyAsync(c => c.Name == name, cancellationToken))
        {
            throw Refusal.Conflict("cluster-exists", $"A cluster named '{name}' exists already. Choose another name, or remove it first: mfctl cluster remove {name}");
        }

        var row = new ClusterRow { Id = Ids.New("c"), Name = name, CreatedAt = change.Now, AdvertisesServices = advertiseServices, DeclaredLabels = declared.ToDictionary() };
        change.Db.Clusters.Add(row);
        change.Touch(row);
        await change.RenumberAsync(row, cancellationToken);
        var findings = await DescribeAsync(change, row, inventory, caller.Actor, cancellationToken);
        if (findings.Any(f => f.Severity == FindingSeverity.Error))
        {
            throw Refusal.Of(findings, pointer);
        }

        change.Event("cluster-created", "info", $"cluster/{name}", caller.Actor, $"Cluster {name} was created.");
        change.Audit(caller, "cluster.create", $"cluster/{name}", null, FactsChange.Json(row.ToFacts()));
        return row;
    }

    /// <summary>Takes over an inventory; touches the facts only when something that others need to know changed.</summary>
    public static async Task<ValueList<Finding>> DescribeAsync(FactsChange change, ClusterRow row, ClusterInventory inventory, string actor, CancellationToken cancellationToken)
    {
        var before = row.ToFacts();
        row.Kind = inventory.Kind;
        row.Provider = inventory.Location.Provider;
        row.Region = inventory.Location.Region;
        row.Zone = inventory.Location.Zone;
        if (inventory.Labels.Count > 0)
        {
            row.Labels = inventory.Labels.ToDictionary(l => l.Key, l => l.Value);
        }

        // What is advertised is not withdrawn because an agent cannot find it out just now.
        if (inventory.ServiceCidrs.Count > 0 || !row.AdvertisesServices)
        {
            row.ServiceCidrs = inventory.ServiceCidrs.Select(c => c.ToNetwork()).ToList();
        }

        row.Beacons = inventory.Beacons?.Select(b => b.ToNetwork()).ToList() ?? row.Beacons;
        row.KubernetesVersion = inventory.KubernetesVersion;
        row.Nodes = inventory.Nodes;
        // An older agent, or a first inventory at an enrolment, does not tell it; what is known stays.
        row.Networking = inventory.Networking ?? row.Networking;
        // A cluster that cannot say what its pod CIDRs are has some all the same: what is known stays.
        var unknown = inventory is { Kind: ClusterKind.Kubernetes, PodCidrs.Count: 0 };
        var cidrs = unknown ? PodPrefixes(row) : inventory.PodCidrs;
        var findings = await change.PlanPrefixesAsync(row, cidrs, actor, cancellationToken);
        row.Findings = [.. findings, .. Unknown(row, pods: unknown)];
        if (row.ToFacts() with { Revision = before.Revision } != before)
        {
            change.Touch(row);
        }

        return row.Findings;
    }

    /// <summary>Declares a cluster's labels anew.</summary>
    /// <param name="wanted">By those that are declared.</param>
    /// <returns>True when they are others now.</returns>
    public static async Task<bool> LabelAsync(FactsChange change, string name, Func<IReadOnlyDictionary<string, string>, IReadOnlyDictionary<string, string>> wanted, Caller caller, CancellationToken cancellationToken)
    {
        var row = await change.ClusterAsync(name, cancellationToken);
        var (before, labels) = (row.DeclaredLabels, wanted(row.DeclaredLabels).ToDictionary());
        if (labels.Count == before.Count && !labels.Except(before).Any())
        {
            return false;
        }

        if (labels.Count > MaxLabels)
        {
            throw Refusal.Conflict("too-many-labels", $"Cluster {name} would have {labels.Count} declared labels, and {MaxLabels} is the most there can be. Take some away: mfctl cluster label {name} KEY-");
        }

        await change.RenumberAsync(row, cancellationToken);
        row.DeclaredLabels = labels;
        change.Touch(row);
        change.Event("cluster-labelled", "info", $"cluster/{name}", caller.Actor, $"The labels declared for {name}: {(labels.Count == 0 ? "none" : string.Join(", ", labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}")))}.");
        change.Audit(caller, "cluster.label", $"cluster/{name}", FactsChange.Json(before), FactsChange.Json(labels));
        return true;
    }

    /// <summary>Declares what others probe behind a cluster's gateways.</summary>
    /// <returns>True when it is something else now.</returns>
    public static async Task<bool> BeaconsAsync(FactsChange change, string name, ValueList<Cidr> beacons, Caller caller, CancellationToken cancellationToken)
    {
        var row = await change.ClusterAsync(name, cancellationToken);
        var before = row.ToFacts().Beacons;
        if (before.Equals(beacons))
        {
            return false;
        }

        row.Beacons = beacons.Select(b => b.ToNetwork()).ToList();
        change.Touch(row);
        change.Event("cluster-changed", "info", $"cluster/{name}", caller.Actor, $"The beacons of {name}: {(beacons.Count == 0 ? "none" : string.Join(", ", beacons.Select(b => b.Address)))}.");
        change.Audit(caller, "cluster.update", $"cluster/{name}", FactsChange.Json(before), FactsChange.Json(beacons));
        return true;
    }

    /// <summary>Makes the cluster's Services reachable from the others by their own addresses, or no longer.</summary>
    public static async Task<ClusterRow> AdvertiseServicesAsync(FactsChange change, string name, bool advertise, Caller caller, CancellationToken cancellationToken)
    {
        var row = await change.ClusterAsync(name, cancellationToken);
        if (row.Kind != ClusterKind.Kubernetes)
        {
            throw Refusal.Conflict("cluster-without-services", $"Cluster {name} is a {FactsChange.Json(row.Kind).Trim('"')}: only a cluster of kind kubernetes has Services to advertise.");
        }

        if (row.AdvertisesServices == advertise)
        {
            return row;
        }

        var before = FactsChange.Json(row.ToFacts());
        row.AdvertisesServices = advertise;
        var findings = await change.PlanPrefixesAsync(row, PodPrefixes(row), caller.Actor, cancellationToken);
        if (findings.Any(f => f.Severity == FindingSeverity.Error))
        {
            throw Refusal.Of(findings, "/spec/advertiseServices");
        }

        // What was found of the former prefixes is about them; that some are not known is not.
        row.Findings = [.. findings, .. Unknown(row, pods: row.Findings.Any(f => f.Code == PodCidrsUnknownCode))];

        change.Event("cluster-changed", "info", $"cluster/{name}", caller.Actor, advertise ? $"The Services of {name} are advertised." : $"The Services of {name} are no longer advertised.");
        change.Audit(caller, "cluster.update", $"cluster/{name}", before, FactsChange.Json(row.ToFacts()));
        return row;
    }

    static ValueList<Cidr> PodPrefixes(ClusterRow row) => row.ToPrefixes().Where(p => !p.Services).Select(p => p.Local).ToValueList();

    /// <param name="pods">Its pod CIDRs are not known.</param>
    static IEnumerable<Finding> Unknown(ClusterRow row, bool pods)
    {
        if (pods)
        {
            yield return PodCidrsUnknown(row.Name);
        }

        if (row is { Kind: ClusterKind.Kubernetes, AdvertisesServices: true, ServiceCidrs.Count: 0 })
        {
            yield return new Finding(FindingSeverity.Warning, "service-cidrs-unknown", $"cluster/{row.Name}",
                $"The Services of {row.Name} are to be advertised, and nothing tells their addresses.", "Give them: mfctl cluster join NAME --kubeconfig FILE --service-cidr CIDR; with Helm serviceCidrs.");
        }
    }

    static Finding PodCidrsUnknown(string cluster) => new(FindingSeverity.Warning, PodCidrsUnknownCode, $"cluster/{cluster}",
        $"The Kubernetes API of {cluster} does not tell its pod CIDRs.", "Give them: mfctl cluster join NAME --kubeconfig FILE --pod-cidr CIDR where agents are pods, meshfabric-agent join --pod-cidr CIDR on other hosts.");

    public static async Task<IReadOnlyList<string>> RemoveAsync(FactsChange change, string name, Caller caller, CancellationToken cancellationToken)
    {
        var row = await change.ClusterAsync(name, cancellationToken);
        var gateways = row.Gateways.Select(g => g.Id).ToList();
        change.Audit(caller, "cluster.remove", $"cluster/{name}", FactsChange.Json(row.ToFacts()), null);
        change.Event("cluster-removed", "info", $"cluster/{name}", caller.Actor, $"Cluster {name} was removed; its {gateways.Count} gateways are cut off.");
        await change.RemoveAsync(row, cancellationToken);
        // A token for this cluster must not bring it back.
        await change.Db.JoinTokens.Where(t => t.Cluster == name && t.RevokedAt == null)
            .ExecuteUpdateAsync(t => t.SetProperty(r => r.RevokedAt, change.Now), cancellationToken);
        return gateways;
    }
}

/// <summary>Opaque, unguessable identifiers: a broker tells whoever knows a queue's name that it exists.</summary>
public static class Ids
{
    const string Alphabet = "abcdefghijkmnpqrstuvwxyz23456789";

    public static string New(string prefix) => $"{prefix}-{System.Security.Cryptography.RandomNumberGenerator.GetString(Alphabet, 16)}";
}
