using System.Net.Sockets;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>The prefixes that one cluster holds in the address plan.</summary>
public sealed record ClusterPrefixes(string ClusterId, string Name, ValueList<MeshPrefix> Prefixes);

/// <summary>What an address plan changes.</summary>
/// <param name="Changed">The cluster that asked, always first; then every other cluster that now needs an alias.</param>
/// <param name="Findings">An error leaves its prefix out; the others are allocated all the same.</param>
public sealed record AddressAllocation(ValueList<ClusterPrefixes> Changed, ValueList<Finding> Findings)
{
    public ValueList<MeshPrefix> Prefixes => Changed[0].Prefixes;

    public bool HasErrors => Findings.Any(f => f.Severity == FindingSeverity.Error);
}

/// <summary>Gives every cluster prefixes that no other cluster has.</summary>
/// <remarks>
/// Pure. First come, first served, and stable: a prefix once given is kept while it is wanted. A CIDR that is free is kept as it is; one that overlaps
/// is remapped to a pool prefix of equal length. A cluster that kept its own CIDR gets an alias beside it as soon as another cluster uses the same inside,
/// for that one could not address it otherwise. A Service CIDR always gets a pool prefix: nearly every cluster uses the same one inside. Mesh prefixes, aliases and pools never overlap each other.
/// </remarks>
public static class AddressPlanner
{
    static readonly (Cidr Cidr, string What)[] Reserved =
    [
        (Cidr.Parse("0.0.0.0/8"), "\"this network\" (RFC 1122)"),
        (Cidr.Parse("127.0.0.0/8"), "loopback (RFC 1122)"),
        (Cidr.Parse("169.254.0.0/16"), "link-local addresses (RFC 3927)"),
        (Cidr.Parse("224.0.0.0/4"), "multicast (RFC 5771)"),
        (Cidr.Parse("240.0.0.0/4"), "reserved addresses (RFC 1112)"),
        (Cidr.Parse("::/8"), "loopback and unspecified addresses (RFC 4291)"),
        (Cidr.Parse("fe80::/10"), "link-local addresses (RFC 4291)"),
        (Cidr.Parse("ff00::/8"), "multicast (RFC 4291)"),
    ];

    /// <summary>Why a CIDR cannot join the mesh at all, whoever asks; null when it can.</summary>
    public static Finding? Check(MeshSettings settings, Cidr cidr)
    {
        var shortest = cidr.IsIPv4 ? 8 : 16;
        if (cidr.Length == 0)
        {
            return Error("cidr-everything", cidr, $"{cidr} is every address there is.", "Give the cluster's own pod CIDR.");
        }

        foreach (var (range, what) in Reserved)
        {
            if (range.Overlaps(cidr))
            {
                return Error("cidr-reserved", cidr, $"{cidr} overlaps {range}, which is for {what}.", "Give the cluster's own pod CIDR.");
            }
        }

        if (settings.RemapPools.Concat(settings.TunnelPools).FirstOrDefault(p => p.Overlaps(cidr)) is { } pool)
        {
            return Error("cidr-in-pool", cidr, $"{cidr} overlaps the mesh's own pool {pool}.", "Build the cluster with another CIDR (mfctl ipam plan proposes one), or set up the mesh with other pools.");
        }

        return cidr.Length < shortest
            ? Error("cidr-too-large", cidr, $"{cidr} is larger than a /{shortest}.", $"Give the CIDRs that the cluster really uses, each a /{shortest} or longer.")
            : null;
    }

    /// <summary>The address plan after <paramref name="clusterId"/> wants exactly <paramref name="wantedLocal"/>.</summary>
    /// <param name="clusters">All live clusters as they are; the asking one may be missing.</param>
    /// <param name="wantedServices">Service CIDRs that shall be part of the mesh too.</param>
    public static AddressAllocation Plan(MeshSettings settings, IReadOnlyList<ClusterPrefixes> clusters, string clusterId, string name, IReadOnlyList<Cidr> wantedLocal, IReadOnlyList<Cidr>? wantedServices = null)
    {
        var findings = new List<Finding>();
        var wanted = Usable(settings, wantedLocal, wantedServices ?? [], findings);
        var others = clusters.Where(c => c.ClusterId != clusterId).OrderBy(c => c.Name, StringComparer.Ordinal).ToList();
        var current = clusters.FirstOrDefault(c => c.ClusterId == clusterId)?.Prefixes ?? [];
        var space = new AddressSpace(settings, others);

        var kept = current.Where(p => wanted.Contains((p.Local, p.Services))).ToList();
        kept.ForEach(space.Take);
        foreach (var (local, services) in wanted.Except(kept.Select(p => (p.Local, p.Services))))
        {
            if ((services ? space.FromPool(local) : space.Allocate(local)) is { } mesh)
            {
                var prefix = new MeshPrefix(local, mesh) { Services = services };
                space.Take(prefix);
                kept.Add(prefix);
            }
            else
            {
                findings.Add(services ? NoRoomForServices(settings, local, name) : Exhausted(settings, local, name));
            }
        }

        var own = new ClusterPrefixes(clusterId, name, kept.OrderBy(p => p.Local).ToValueList());
        // Only pairs with the asking cluster can be new: all others were settled when they changed.
        var locals = others.SelectMany(o => o.Prefixes).Select(p => p.Local).ToList();
        var changed = new List<ClusterPrefixes> { WithAliases(settings, space, own, locals, findings) };
        locals = own.Prefixes.Select(p => p.Local).ToList();
        changed.AddRange(others.Select(o => WithAliases(settings, space, o, locals, findings)).Where((o, i) => o != others[i]));
        return new AddressAllocation(changed.ToValueList(), findings.ToValueList());
    }

    /// <summary>A free CIDR to build a new cluster with: in none of the pools, overlapping nothing in use; null when there is none.</summary>
    public static Cidr? Suggest(MeshSettings settings, IReadOnlyList<ClusterPrefixes> clusters, AddressFamily family, int length)
    {
        Cidr[] candidates = family == AddressFamily.InterNetwork
            ? [Cidr.Parse("10.0.0.0/8"), Cidr.Parse("172.16.0.0/12"), Cidr.Parse("192.168.0.0/16")]
            : [Cidr.Parse("fd00::/8")];
        var taken = clusters.SelectMany(c => c.Prefixes).SelectMany(p => new[] { p.Local, p.Mesh, p.Alias ?? p.Mesh })
            .Concat(settings.RemapPools).Concat(settings.TunnelPools).ToList();
        return candidates.Select(c => CidrPool.FirstFree(c, length, taken)).FirstOrDefault(c => c is not null);
    }

    /// <summary>One free host prefix of each tunnel pool; network and broadcast-like first and last addresses are left out.</summary>
    /// <exception cref="InvalidOperationException">A pool is full.</exception>
    public static ValueList<Cidr> TunnelAddresses(MeshSettings settings, IEnumerable<Cidr> taken)
    {
        var used = taken.ToList();
        return settings.TunnelPools.Select(pool =>
        {
            var edge = Cidr.Host(pool.Address);
            return CidrPool.FirstFree(pool, pool.MaxLength, used.Append(edge).Append(Cidr.Host(pool.LastAddress)))
                ?? throw new InvalidOperationException($"the tunnel pool {pool} is full");
        }).Order().ToValueList();
    }

    static List<(Cidr Local, bool Services)> Usable(MeshSettings settings, IReadOnlyList<Cidr> wantedLocal, IReadOnlyList<Cidr> wantedServices, List<Finding> findings)
    {
        var usable = new List<(Cidr Local, bool Services)>();
        foreach (var (cidr, services) in wantedLocal.Distinct().Order().Select(c => (c, false)).Concat(wantedServices.Distinct().Order().Select(c => (c, true))))
        {
            if (Check(settings, cidr) is { } refusal)
            {
                findings.Add(refusal);
            }
            else if (usable.Select(u => u.Local).FirstOrDefault(u => u.Overlaps(cidr)) is { } other)
            {
                findings.Add(Error("cidr-overlaps-own", cidr, $"{cidr} overlaps {other} of the same cluster.", "Give each range once."));
            }
            else
            {
                usable.Add((cidr, services));
            }
        }

        return usable;
    }

    static ClusterPrefixes WithAliases(MeshSettings settings, AddressSpace space, ClusterPrefixes cluster, List<Cidr> locals, List<Finding> findings)
    {
        if (!cluster.Prefixes.Any(p => NeedsAlias(p, locals)))
        {
            return cluster;
        }

        var prefixes = new List<MeshPrefix>();
        foreach (var prefix in cluster.Prefixes)
        {
            var aliased = prefix;
            if (NeedsAlias(prefix, locals))
            {
                if (space.FromPool(prefix.Local) is { } alias)
                {
                    aliased = prefix with { Alias = alias };
                    space.Take(aliased);
                }
                else
                {
                    findings.Add(Exhausted(settings, prefix.Local, cluster.Name));
                }
            }

            prefixes.Add(aliased);
        }

        return cluster with { Prefixes = prefixes.ToValueList() };
    }

    static bool NeedsAlias(MeshPrefix prefix, List<Cidr> locals) => prefix.Alias is null && locals.Exists(l => l.Overlaps(prefix.Mesh));

    static Finding Exhausted(MeshSettings settings, Cidr local, string name) => Error(
        "pool-exhausted",
        local,
        $"{local} of cluster {name} overlaps another cluster's and no /{local.Length} is free in {string.Join(", ", settings.RemapPools.Where(p => p.Family == local.Family))}.",
        "Remove clusters that are gone, set up the mesh with a larger pool, or build the cluster with a free CIDR (mfctl ipam plan proposes one).");

    static Finding NoRoomForServices(MeshSettings settings, Cidr local, string name) => Error(
        "pool-exhausted",
        local,
        $"The Service CIDR {local} of cluster {name} needs a prefix of its own in the mesh and no /{local.Length} is free in {string.Join(", ", settings.RemapPools.Where(p => p.Family == local.Family))}.",
        "Set up the mesh with a larger pool, build the cluster with a smaller Service CIDR (a /16 is usual), or import single Services instead of the whole CIDR.");

    static Finding Error(string code, Cidr cidr, string message, string hint) => new(FindingSeverity.Error, code, $"cidr/{cidr}", message, hint);

    /// <summary>What is taken while one plan is made.</summary>
    sealed class AddressSpace
    {
        readonly MeshSettings _settings;
        readonly List<Cidr> _outside = [];
        readonly List<Cidr> _locals = [];

        public AddressSpace(MeshSettings settings, List<ClusterPrefixes> clusters)
        {
            _settings = settings;
            clusters.SelectMany(c => c.Prefixes).ToList().ForEach(Take);
        }

        public void Take(MeshPrefix prefix)
        {
            _locals.Add(prefix.Local);
            _outside.Add(prefix.Mesh);
            if (prefix.Alias is not null)
            {
                _outside.Add(prefix.Alias);
            }
        }

        /// <summary>The CIDR itself when nobody else uses it in the mesh or inside, else one from the pools.</summary>
        public Cidr? Allocate(Cidr local) => _outside.Concat(_locals).Any(t => t.Overlaps(local)) ? FromPool(local) : local;

        // Locals are avoided too: a pool prefix that some cluster uses inside could not be addressed from there.
        public Cidr? FromPool(Cidr local) => _settings.RemapPools
            .Where(p => p.Family == local.Family)
            .Select(p => CidrPool.FirstFree(p, local.Length, _outside.Concat(_locals).Concat(_settings.TunnelPools)))
            .FirstOrDefault(c => c is not null);
    }
}
