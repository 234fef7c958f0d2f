using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain.Topologies;

namespace MeshFabric.Control.Api;

/// <summary>What is declared: <c>/topology</c> to look at, <c>/manifests/apply</c> to change.</summary>
public static class ManifestsApi
{
    // Each is looked up while nobody else may change anything.
    const int MostManifests = 200;

    public static void MapManifests(this IEndpointRouteBuilder api)
    {
        api.MapGet("/topology", GetAsync).WithName("GetTopology").WithTags("Topology").WithSummary("Who has tunnels to whom, as declared, and what that is for the clusters that there are");
        api.MapPost("/manifests/apply", ApplyAsync).WithName("ApplyManifests").WithTags("Topology").RequireAuthorization(Roles.Operator)
            .WithSummary("Makes what is declared so, all of it or nothing; with ?dryRun=true it only says what would change");
    }

    static async Task<TopologyResource> GetAsync(FactsStore facts, TimeProvider time, CancellationToken cancellationToken)
    {
        var now = await facts.LoadAsync(cancellationToken);
        var old = await facts.ReadAsync(db => OldAgents.WarningsAsync(db, now.Settings, time.GetUtcNow(), cancellationToken), cancellationToken);
        return TopologyView.Of(now, old);
    }

    static async Task<ApplyResult> ApplyAsync(Body<ApplyManifests> body, bool? dryRun, HttpContext context, FactsStore facts, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        if (body.Value.Manifests is not { Count: > 0 and <= MostManifests })
        {
            errors.Add("/manifests", $"1 to {MostManifests} are needed");
        }

        var declared = (body.Value.Manifests ?? []).Take(MostManifests).Select((m, i) => Read(m, $"/manifests/{i}", errors)).ToList();
        foreach (var twice in declared.OfType<DeclaredObject>().GroupBy(d => d is DeclaredObject.OfCluster c ? $"Cluster {c.Name}" : "Topology").Where(g => g.Count() > 1))
        {
            errors.Add("/manifests", $"{twice.Key} is declared {twice.Count()} times");
        }

        errors.ThrowIfAny();
        var caller = TokenAuthentication.CallerOf(context);
        var (before, after, applied, old) = await facts.ChangeAsync(async change =>
        {
            var before = await change.BeforeAsync(cancellationToken);
            var applied = await ManifestChanges.ApplyAsync(change, declared.ConvertAll(d => d!), caller, cancellationToken);
            await change.SettleAsync(cancellationToken);
            return (before, await FactsStore.LoadAsync(change.Db, cancellationToken), applied, await OldAgents.WarningsAsync(change.Db, change.Settings, change.Now, cancellationToken));
        }, cancellationToken, isDryRun: dryRun == true);
        // Only now: others may change something meanwhile.
        return new ApplyResult(dryRun == true, after.Revision, applied, TopologyView.Between(before, after)) { Warnings = [.. TopologyView.Warnings(after), .. old] };
    }

    static DeclaredObject? Read(Manifest? manifest, string pointer, FieldErrors errors)
    {
        if (manifest?.ApiVersion != Contracts.Http.Api.Version)
        {
            errors.Add($"{pointer}/apiVersion", $"it must be {Contracts.Http.Api.Version}");
        }

        switch (manifest?.Kind)
        {
            case "Topology":
                if (manifest.Metadata?.Name is { } name && name != TopologyResource.TheName)
                {
                    errors.Add($"{pointer}/metadata/name", $"the mesh has one topology, and it is named {TopologyResource.TheName}");
                }

                return Spec<TopologySpec>(manifest, pointer, errors) is { } spec ? new DeclaredObject.OfTopology(TopologyFields.Read(spec, $"{pointer}/spec", errors)) : null;
            case "Cluster":
                var labels = manifest.Metadata?.Labels is { } given ? Fields.DeclaredLabels(given, $"{pointer}/metadata/labels", errors) : null;
                var cluster = Fields.Name(manifest.Metadata?.Name, $"{pointer}/metadata/name", errors);
                return Spec<ClusterManifestSpec>(manifest, pointer, errors) is { } declared
                    ? new DeclaredObject.OfCluster(cluster, labels, declared.AdvertiseServices, Fields.Beacons(declared.Beacons, $"{pointer}/spec/beacons", errors), Fields.Granularity(declared.Granularity, $"{pointer}/spec/granularity", errors))
                    : null;
            default:
                errors.Add($"{pointer}/kind", $"{(manifest?.Kind is { } kind ? $"'{kind}' is not" : "one is needed of")} Topology {(manifest?.Kind is null ? "and" : "or")} Cluster");
                return null;
        }
    }

    static T? Spec<T>(Manifest manifest, string pointer, FieldErrors errors)
        where T : class
    {
        try
        {
            return manifest.Spec is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } spec ? spec.Deserialize<T>(MeshJson.Strict)! : JsonSerializer.Deserialize<T>("{}", MeshJson.Strict);
        }
        catch (JsonException e)
        {
            var (at, reason) = JsonErrors.Of(e);
            errors.Add($"{pointer}/spec{at}", reason);
            return null;
        }
    }
}
