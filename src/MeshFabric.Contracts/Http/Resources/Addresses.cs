using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Contracts.Http;

/// <summary>A prefix in use in the mesh.</summary>
/// <param name="Purpose">cluster, services, alias (what clusters see that use the same local prefix themselves) or tunnel.</param>
public sealed record PrefixResource(string Cluster, string Purpose, Cidr Local, Cidr Mesh, bool Remapped);

/// <summary>A pool that prefixes are taken from.</summary>
/// <param name="Purpose">remap or tunnel.</param>
/// <param name="UsedRatio">0 to 1.</param>
public sealed record AddressPoolResource(Cidr Cidr, string Purpose, int Allocations, double UsedRatio);

/// <summary>Two clusters that use the same local prefix, and how it was solved.</summary>
public sealed record AddressConflictResource(Cidr Local, string Cluster, Cidr OverlapsLocal, string OverlapsCluster, string Resolution);

/// <summary>Body of <c>POST /address-plans</c>: what would happen, without any change.</summary>
/// <param name="PodCidrs">CIDRs to check; empty to ask for a free one of <paramref name="Length"/> bits.</param>
public sealed record CreateAddressPlan(IReadOnlyList<string>? PodCidrs, int? Length, string? Family);

/// <param name="Suggestion">A free CIDR to build a new cluster with; null when CIDRs were given.</param>
public sealed record AddressPlanResource(ValueList<MeshPrefix> Prefixes, Cidr? Suggestion, ValueList<Finding> Findings);
