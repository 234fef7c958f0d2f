using MeshFabric.Contracts.Http;

namespace MeshFabric.Dashboard.Live;

/// <summary>The mesh at one moment, as the API told it.</summary>
/// <param name="Clusters">Ordered by name.</param>
/// <param name="Links">Between them, at most <see cref="MostLinks"/>; of a large mesh only those that are not as they should be, and those of the cluster that is looked at.</param>
/// <param name="LinksInAll">As many would be drawn if there were room.</param>
/// <param name="HasAllLinks">False for a large mesh.</param>
public sealed record MeshPicture(MeshResource Mesh, IReadOnlyList<ClusterResource> Clusters, IReadOnlyList<LinkResource> Links, int LinksInAll, bool HasAllLinks, DateTimeOffset At)
{
    /// <summary>As many clusters as have their links drawn all at once: beyond, a picture of them is one grey ball, and costs more than anybody sees.</summary>
    public const int MostWithAllLinks = 40;

    /// <summary>More lines nobody tells apart.</summary>
    public const int MostLinks = 500;

    /// <summary>Everything that agents and the control service found, with the cluster it is about.</summary>
    public IEnumerable<(ClusterResource Cluster, Domain.Planning.Finding Finding)> Findings =>
        Clusters.SelectMany(c => c.Status.Findings.Concat(c.Status.Networking?.Findings ?? []), (c, f) => (c, f)).OrderByDescending(f => f.f.Severity);

    /// <summary>With all links of one cluster.</summary>
    public MeshPicture With(IReadOnlyList<LinkResource> links) => this with { Links = [.. links.UnionBy(Links, l => (l.A, l.B))] };
}
