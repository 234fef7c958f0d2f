using System.Net.Sockets;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;
using MeshFabric.Persistence;

namespace MeshFabric.Control.Api;

/// <summary>The address plan: prefixes in use, pools, conflicts and how they were solved, and what a new cluster would get.</summary>
public static class AddressesApi
{
    const int DefaultIPv4Length = 16;
    const int DefaultIPv6Length = 48;

    public static void MapAddresses(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("").WithTags("Addresses");
        group.MapGet("/prefixes", ListPrefixesAsync).WithName("ListPrefixes").WithSummary("All prefixes in use; ?cluster= filters");
        group.MapGet("/address-pools", ListPoolsAsync).WithName("ListAddressPools");
        group.MapGet("/address-conflicts", ListConflictsAsync).WithName("ListAddressConflicts").WithSummary("Clusters that use the same addresses inside, and how each reaches the other");
        group.MapPost("/address-plans", PlanAsync).WithName("CreateAddressPlan").WithSummary("What a new cluster with these CIDRs would get, or a free CIDR for it; changes nothing");
    }

    static async Task<Page<PrefixResource>> ListPrefixesAsync(Paging paging, string? cluster, MeshDbContext db, CancellationToken cancellationToken)
    {
        var facts = await FactsStore.LoadAsync(db, cancellationToken);
        var all = facts.Clusters.Where(c => cluster is null || c.Name == cluster).SelectMany(Prefixes)
            .Select(p => (Key: $"{p.Cluster} {p.Purpose} {p.Mesh}", Prefix: p)).OrderBy(p => p.Key, StringComparer.Ordinal).ToList();
        return paging.Cut(all, p => p.Key, p => p.Prefix);
    }

    static IEnumerable<PrefixResource> Prefixes(ClusterFacts cluster)
    {
        foreach (var prefix in cluster.Prefixes)
        {
            yield return new PrefixResource(cluster.Name, prefix.Services ? "services" : "cluster", prefix.Local, prefix.Mesh, prefix.IsRemapped);
            if (prefix.Alias is not null)
            {
                yield return new PrefixResource(cluster.Name, "alias", prefix.Local, prefix.Alias, true);
            }
        }

        foreach (var address in cluster.Gateways.SelectMany(g => g.TunnelAddresses))
        {
            yield return new PrefixResource(cluster.Name, "tunnel", address, address, false);
        }
    }

    static async Task<Page<AddressPoolResource>> ListPoolsAsync(Paging paging, MeshDbContext db, CancellationToken cancellationToken)
    {
        var facts = await FactsStore.LoadAsync(db, cancellationToken);
        return paging.Cut(Pools(facts), p => p.Purpose + p.Cidr, p => p);
    }

    public static IReadOnlyList<AddressPoolResource> Pools(MeshFacts facts)
    {
        var outside = facts.Clusters.SelectMany(c => c.Prefixes).SelectMany(p => p.Alias is null ? new[] { p.Mesh } : [p.Mesh, p.Alias]).ToList();
        var tunnels = facts.Clusters.SelectMany(c => c.Gateways).SelectMany(g => g.TunnelAddresses).ToList();
        return facts.Settings.RemapPools.Select(p => Pool(p, "remap", outside))
            .Concat(facts.Settings.TunnelPools.Select(p => Pool(p, "tunnel", tunnels)))
            .OrderBy(p => p.Purpose + p.Cidr, StringComparer.Ordinal).ToList();
    }

    static AddressPoolResource Pool(Cidr pool, string purpose, List<Cidr> used)
    {
        var inside = used.Where(pool.Contains).ToList();
        return new AddressPoolResource(pool, purpose, inside.Count, inside.Sum(c => Math.Pow(2, pool.Length - c.Length)));
    }

    static async Task<Page<AddressConflictResource>> ListConflictsAsync(Paging paging, MeshDbContext db, CancellationToken cancellationToken)
    {
        var facts = await FactsStore.LoadAsync(db, cancellationToken);
        var all = Conflicts(facts).Select(c => (Key: $"{c.Cluster} {c.Local} {c.OverlapsCluster} {c.OverlapsLocal}", Conflict: c)).OrderBy(c => c.Key, StringComparer.Ordinal).ToList();
        return paging.Cut(all, c => c.Key, c => c.Conflict);
    }

    public static IEnumerable<AddressConflictResource> Conflicts(MeshFacts facts)
    {
        var graph = MeshGraph.Of(facts);
        // In address order what overlaps stands together: a prefix is followed by everything inside it.
        var all = facts.Clusters.SelectMany(c => c.Prefixes.Select(p => (Cluster: c, Prefix: p))).OrderBy(p => p.Prefix.Local).ThenBy(p => p.Cluster.Name, StringComparer.Ordinal).ToList();
        for (var i = 0; i < all.Count; i++)
        {
            for (var j = i + 1; j < all.Count && all[i].Prefix.Local.Overlaps(all[j].Prefix.Local); j++)
            {
                if (all[i].Cluster.Id != all[j].Cluster.Id)
                {
                    var (a, b) = (all[i], all[j]);
                    yield return new AddressConflictResource(a.Prefix.Local, a.Cluster.Name, b.Prefix.Local, b.Cluster.Name, $"{Reached(a, b.Cluster, graph)}; {Reached(b, a.Cluster, graph)}");
                }
            }
        }
    }

    static string Reached((ClusterFacts Cluster, MeshPrefix Prefix) far, ClusterFacts from, MeshGraph graph) => graph.SeenBy(from, far.Cluster, far.Prefix) is { } seen
        ? $"{from.Name} reaches {far.Cluster.Name} by {seen}"
        : $"{from.Name} cannot address {far.Cluster.Name}: the remap pool is exhausted";

    static async Task<AddressPlanResource> PlanAsync(Body<CreateAddressPlan> body, MeshDbContext db, CancellationToken cancellationToken)
    {
        var facts = await FactsStore.LoadAsync(db, cancellationToken);
        var clusters = facts.Clusters.Select(c => new ClusterPrefixes(c.Id, c.Name, c.Prefixes)).ToList();
        var errors = new FieldErrors();
        var cidrs = Fields.Cidrs(body.Value.PodCidrs, "/podCidrs", errors);
        if (body.Value.Family is not (null or "ipv4" or "ipv6"))
        {
            errors.Add("/family", $"'{body.Value.Family}' is not ipv4 or ipv6");
        }

        var six = body.Value.Family == "ipv6";
        var length = Fields.Number(body.Value.Length, six ? 16 : 8, six ? 64 : 30, six ? DefaultIPv6Length : DefaultIPv4Length, "/length", errors);
        errors.ThrowIfAny();
        if (cidrs.Count > 0)
        {
            var plan = AddressPlanner.Plan(facts.Settings, clusters, "", "(new)", cidrs);
            return new AddressPlanResource(plan.Prefixes, null, plan.Findings);
        }

        var free = AddressPlanner.Suggest(facts.Settings, clusters, six ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, length);
        return new AddressPlanResource([], free, free is not null ? [] :
            [new Finding(FindingSeverity.Error, "pool-exhausted", "mesh", $"No /{length} is free of every cluster's addresses.", "Ask for a longer prefix, or give the cluster's own CIDR: it will be remapped.")]);
    }
}
