using MeshFabric.Contracts.Http;
using MeshFabric.Control.Api;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>A checked manifest.</summary>
public abstract record DeclaredObject
{
    DeclaredObject()
    {
    }

    public sealed record OfTopology(Topology Topology) : DeclaredObject;

    /// <param name="Labels">Null leaves them.</param>
    /// <param name="AdvertiseServices">Null leaves it.</param>
    /// <param name="Beacons">Null leaves them.</param>
    /// <param name="Granularity">Null leaves it.</param>
    public sealed record OfCluster(string Name, IReadOnlyDictionary<string, string>? Labels, bool? AdvertiseServices, ValueList<Cidr>? Beacons, Granularity? Granularity) : DeclaredObject;
}

/// <summary>Makes what is declared so, inside a <see cref="FactsChange"/>. What is so already is not touched.</summary>
public static class ManifestChanges
{
    public static async Task<IReadOnlyList<AppliedManifest>> ApplyAsync(FactsChange change, IReadOnlyList<DeclaredObject> declared, Caller caller, CancellationToken cancellationToken)
    {
        var applied = new List<AppliedManifest>();
        foreach (var one in declared)
        {
            applied.Add(one switch
            {
                DeclaredObject.OfTopology topology => await ApplyAsync(change, topology.Topology, caller, cancellationToken),
                DeclaredObject.OfCluster cluster => await ApplyAsync(change, cluster, caller, cancellationToken),
                _ => throw new InvalidOperationException($"nobody applies {one}"),
            });
        }

        return applied;
    }

    static async Task<AppliedManifest> ApplyAsync(FactsChange change, Topology wanted, Caller caller, CancellationToken cancellationToken)
    {
        var before = change.Settings.Topology ?? Topology.FullMesh;
        if (before == wanted)
        {
            return new AppliedManifest("Topology", TopologyResource.TheName, "unchanged");
        }

        if (wanted != Topology.FullMesh)
        {
            OldAgents.Refuse(await OldAgents.WithoutTopologiesAsync(change.Db, change.Now, cancellationToken));
        }

        await change.SetTopologyAsync(wanted == Topology.FullMesh ? null : wanted, cancellationToken);
        var (was, isNow) = (TopologyView.SpecOf(before), TopologyView.SpecOf(wanted));
        change.Event("topology-changed", "info", "topology/mesh", caller.Actor, $"The topology of the mesh is {isNow.Type}{(isNow.Hubs is null ? "" : $" with the hubs '{isNow.Hubs}'")}; it was {was.Type}.");
        change.Audit(caller, "topology.update", "topology/mesh", FactsChange.Json(was), FactsChange.Json(isNow));
        return new AppliedManifest("Topology", TopologyResource.TheName, "configured");
    }

    static async Task<AppliedManifest> ApplyAsync(FactsChange change, DeclaredObject.OfCluster wanted, Caller caller, CancellationToken cancellationToken)
    {
        var changed = wanted.Labels is not null && await ClusterChanges.LabelAsync(change, wanted.Name, _ => wanted.Labels, caller, cancellationToken);
        if (wanted.AdvertiseServices is { } advertise)
        {
            var row = await change.ClusterAsync(wanted.Name, cancellationToken);
            changed |= row.AdvertisesServices != advertise;
            await ClusterChanges.AdvertiseServicesAsync(change, wanted.Name, advertise, caller, cancellationToken);
        }

        changed |= wanted.Granularity is not null && await LeafChanges.SetGranularityAsync(change, wanted.Name, wanted.Granularity.Value, caller, cancellationToken);
        changed |= wanted.Beacons is not null && await ClusterChanges.BeaconsAsync(change, wanted.Name, wanted.Beacons, caller, cancellationToken);
        return new AppliedManifest("Cluster", wanted.Name, changed ? "configured" : "unchanged");
    }
}
