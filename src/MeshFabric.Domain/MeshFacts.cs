using System.Text.Json.Serialization;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Domain;

/// <summary>All facts about the mesh at one revision: the whole input of <see cref="Planning.MeshPlanner"/>.</summary>
/// <param name="Revision">Grows with every change of any fact.</param>
/// <param name="Clusters">Sorted by name.</param>
public sealed record MeshFacts(long Revision, MeshSettings Settings, ValueList<ClusterFacts> Clusters)
{
    public static readonly MeshFacts Empty = new(0, MeshSettings.Default, []);

    /// <summary>No tunnel needs the mesh secret of an older epoch; 0 while no gateway holds one.</summary>
    [JsonIgnore]
    public int OldestKeyEpoch => Clusters.SelectMany(c => c.Gateways).Select(g => g.KeyEpoch).Where(e => e > 0).DefaultIfEmpty().Min();
}

/// <summary>What holds for the mesh as a whole.</summary>
/// <param name="RemapPools">Mesh prefixes for clusters whose own overlap are taken from here; one pool per address family.</param>
/// <param name="TunnelPools">Gateways' own addresses are taken from here; disjoint from the remap pools.</param>
/// <param name="KeepaliveSeconds">Persistent keepalive of the side that initiates.</param>
public sealed record MeshSettings(ValueList<Cidr> RemapPools, ValueList<Cidr> TunnelPools, int KeepaliveSeconds)
{
    /// <summary>Remaps: 100.64.0.0/10 (RFC 6598) and a unique local prefix (RFC 4193). Tunnels: half of 198.18.0.0/15 (RFC 2544) and a /64 apart.</summary>
    public static readonly MeshSettings Default = new(
        [Cidr.Parse("100.64.0.0/10"), Cidr.Parse("fd6d:6600::/24")],
        [Cidr.Parse("198.19.0.0/16"), Cidr.Parse("fd6d:6700::/64")],
        25);

    /// <summary>Who has tunnels to whom; null: everybody to everybody.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Topology? Topology { get; init; }
}
