using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>A far cluster as one gateway's own sees it.</summary>
/// <param name="Prefixes">What it is addressed by; at a hub also what others address it by, who have this hand it on. Sorted.</param>
/// <param name="IsLinked">There are tunnels to it.</param>
/// <param name="Carriers">Gateways that hand on to it; empty where there are tunnels to it, or no way.</param>
sealed record Remote(ClusterFacts Facts, ValueList<Cidr> Prefixes, bool IsLinked, IReadOnlyList<(ClusterFacts Cluster, GatewayFacts Gateway)> Carriers)
{
    public IEnumerable<Cidr> TunnelAddresses => Facts.Gateways.SelectMany(g => g.TunnelAddresses);

    /// <summary>Of the cluster, as seen from here.</summary>
    public ValueList<Cidr> Beacons { get; init; } = [];

    /// <summary>What others address it by, which leads nowhere from here; sorted. A hub that does not know yet that it is one must not send it on in clear.</summary>
    public ValueList<Cidr> Unused { get; init; } = [];

    public IEnumerable<Cidr> Addresses => Prefixes.Concat(Unused).Concat(TunnelAddresses);

    public static Remote Of(ClusterFacts far, ClusterFacts near, MeshGraph graph, List<Finding> findings)
    {
        var seen = new HashSet<Cidr>();
        var views = new List<(Cidr Local, Cidr Seen)>();
        foreach (var prefix in far.Prefixes)
        {
            var here = new HashSet<Cidr>();
            if (graph.SeenBy(near, far, prefix) is { } cidr)
            {
                here.Add(cidr);
            }
            else
            {
                findings.Add(new Finding(FindingSeverity.Error, "prefix-not-addressable", $"cluster/{far.Name}",
                    $"{prefix.Mesh} of {far.Name} overlaps a prefix that {near.Name} uses inside, or a hub between them, and has no alias.",
                    "The control service allocates an alias with its next change; if this stays, the remap pool is exhausted (mfctl ipam pools)."));
            }

            if (graph.Transits(near))
            {
                here.UnionWith(new[] { prefix.Mesh, prefix.Alias }.OfType<Cidr>().Where(c => !near.Prefixes.Any(own => own.Local.Overlaps(c))));
            }

            seen.UnionWith(here);
            views.AddRange(prefix.Services ? [] : here.Select(s => (prefix.Local, s)));
        }

        var outside = far.Prefixes.SelectMany(p => new[] { p.Mesh, p.Alias }).OfType<Cidr>().Where(c => !seen.Contains(c) && !near.Prefixes.Any(own => own.Local.Overlaps(c)));
        var carriers = HubOrdinals.Carrying(graph.Carriers(near, far)).OrderBy(c => c.Gateway.Ordinal).ToList();
        return new Remote(far, seen.Order().ToValueList(), graph.AreLinked(near, far), carriers) { Unused = outside.Order().ToValueList(), Beacons = far.EdgeGateways.Count() > 1 ? BeaconsOf(far, near, graph) : [], Views = views };
    }

    // Of its prefixes but those of Services: what each is inside the cluster, and what it is seen as.
    IReadOnlyList<(Cidr Local, Cidr Seen)> Views { get; init; } = [];

    /// <summary>What the pods on a gateway's own node are addressed by; sorted. Empty where nothing is sent to it for that.</summary>
    public ValueList<Cidr> PodsOf(GatewayFacts gateway) => gateway.Pods
        .SelectMany(p => Views.Where(v => v.Local.Contains(p)).Select(v => Cidr.Of(v.Local.Translate(p.Address, v.Seen), p.Length)))
        .Distinct().Order().ToValueList();

    static ValueList<Cidr> BeaconsOf(ClusterFacts far, ClusterFacts near, MeshGraph graph) => far.Beacons
        .Select(b => (Beacon: b, Prefix: far.Prefixes.FirstOrDefault(p => p.Local.Contains(b))))
        .Where(b => b.Prefix is not null && b.Beacon.IsIPv4)
        .Select(b => graph.SeenBy(near, far, b.Prefix!) is { } seen ? Cidr.Host(b.Prefix!.Local.Translate(b.Beacon.Address, seen)) : null)
        .OfType<Cidr>()
        .ToValueList();
}
