using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Cli.Verifying;

/// <summary>All that was seen of two clusters, for <see cref="Verification"/> to judge.</summary>
/// <param name="Tunnels">Between the two, as reported.</param>
/// <param name="Explanations">Of every gateway of both.</param>
/// <param name="Small">Small packets; null with <paramref name="ProbeError"/> telling why.</param>
/// <param name="Full">Packets that fill the tunnels' MTU.</param>
/// <param name="FullPayloadBytes">ICMP payload of those; 0 when the MTU is not known.</param>
/// <param name="ProbeError">Empty when both could be measured.</param>
sealed record Evidence(
    ClusterResource A,
    ClusterResource B,
    IReadOnlyList<GatewayResource> Gateways,
    IReadOnlyList<TunnelResource> Tunnels,
    IReadOnlyList<GatewayExplanation> Explanations,
    ProbeResource? Small,
    ProbeResource? Full,
    int FullPayloadBytes,
    string ProbeError)
{
    public IReadOnlyList<ClusterResource> Clusters => [A, B];

    /// <summary>CLUSTER/GATEWAY of those that hand on from one to the other; sorted, empty where there are tunnels, or no way.</summary>
    public IReadOnlyList<string> ByHubs => Explanations.Where(e => e.Cluster == A.Metadata.Name).SelectMany(e => e.Wanted.Transits.Where(t => t.Cluster == B.Metadata.Name))
        .SelectMany(t => t.Carriers.Select(c => $"{c.Cluster}/{c.Gateway}")).Distinct().Order(StringComparer.Ordinal).ToList();

    /// <summary>The topology wants them not to reach each other: their gateways refuse what is for the other.</summary>
    public bool AreApart => Tunnels.Count == 0 && ByHubs.Count == 0 && Clusters.All(c => GatewaysOf(c).Any()) && Explanations.Any(e => Refuses(e, e.Cluster == A.Metadata.Name ? B : A));

    // Also what is for a cluster without gateways is refused, and what nobody addresses a cluster by.
    bool Refuses(GatewayExplanation near, ClusterResource far)
    {
        var addresses = far.Status.Prefixes.Select(p => p.Mesh).Concat(GatewaysOf(far).SelectMany(g => g.Spec.TunnelAddresses)).ToHashSet();
        return near.Wanted.Routes.Any(r => r.NextHops.Count == 0 && addresses.Contains(r.Destination));
    }

    /// <summary>What a cluster's gateways address a prefix of the other one by; null for nothing. Hubs between the two may take it for one of their own, which the plan knows.</summary>
    public Cidr? Seen(ClusterResource near, MeshPrefix prefix)
    {
        if (ByHubs.Count == 0)
        {
            return prefix.SeenBy(near.Status.Prefixes);
        }

        var routes = Explanations.Where(e => e.Cluster == near.Metadata.Name).SelectMany(e => e.Wanted.Routes).Where(r => r.NextHops.Count > 0).Select(r => r.Destination).ToHashSet();
        return routes.Contains(prefix.Mesh) ? prefix.Mesh : prefix.Alias is not null && routes.Contains(prefix.Alias) ? prefix.Alias : null;
    }

    public IEnumerable<GatewayResource> GatewaysOf(ClusterResource cluster) => Gateways.Where(g => g.Spec.Cluster == cluster.Metadata.Name);
}
