using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Contracts.Messages;

// From the control service to agents. The namespace and type name are the message's identity on the wire: never rename.

/// <summary>The clusters whose facts changed in (<paramref name="FromRevision"/>, <paramref name="ToRevision"/>]; sent to every agent at once.</summary>
/// <remarks>
/// An agent applies it when its own revision is in [From, To); a revision below From is a gap and asks for a snapshot; one at or above To ignores it.
/// Repeats and reordering are harmless, for a cluster's facts are replaced whole and only by a higher revision.
/// </remarks>
/// <param name="RemovedClusterIds">Clusters that left in that interval.</param>
public sealed record FactsChanged(
    long FromRevision,
    long ToRevision,
    MeshSettings Settings,
    ValueList<ClusterFacts> Changed,
    ValueList<string> RemovedClusterIds);

/// <summary>All facts; sent to one agent that asked for them or fell behind.</summary>
public sealed record FactsSnapshot(MeshFacts Facts);

/// <summary>Asks a gateway to measure its tunnels to another cluster; answered by <see cref="ProbeCompleted"/>.</summary>
/// <param name="ToCluster">The far cluster's name.</param>
/// <param name="Count">Echo requests per tunnel, 1 to 100.</param>
/// <param name="IntervalMilliseconds">Between requests on one tunnel, at least 10.</param>
/// <param name="PayloadBytes">ICMP payload per request, 8 to 8,000; sent with "don't fragment".</param>
public sealed record ProbeTunnels(string ProbeId, string ToCluster, int Count, int IntervalMilliseconds, int PayloadBytes);

/// <summary>The mesh secret of an epoch, for the receiver alone. It says in its heartbeats which one it holds, and only then is the epoch used with it.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Sealed">As of <see cref="MeshSecret.Seal"/>, base64.</param>
public sealed record MeshSecretIssued(int Epoch, string Sealed);

/// <summary>The receiver is to make another key for its devices and to say in its heartbeats which one; it uses it when the facts say so. Repeats are harmless.</summary>
public sealed record OfferDeviceKey;

/// <summary>The receiver no longer belongs to the mesh: it removes its devices, routes, rules and identity.</summary>
public sealed record LeaveMesh(string Reason);
