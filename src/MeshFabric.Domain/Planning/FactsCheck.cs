using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>Leaves out what contradicts other facts, so that one bad record costs only itself.</summary>
/// <remarks>The database refuses all of this; the planner does not rely on it, for facts also come from an agent's disk.</remarks>
static class FactsCheck
{
    /// <summary>The clusters sorted by name, without contradictions. The one that joined first (smaller revision, then name) wins.</summary>
    public static List<ClusterFacts> Sound(MeshFacts facts, List<Finding> findings)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var keys = new HashSet<PublicKey>();
        var outside = new CidrIndex();
        var sound = new List<ClusterFacts>(facts.Clusters.Count);
        foreach (var cluster in facts.Clusters.OrderBy(c => c.Revision).ThenBy(c => c.Name, StringComparer.Ordinal).ThenBy(c => c.Id, StringComparer.Ordinal))
        {
            if (!names.Add(cluster.Name))
            {
                findings.Add(Error("cluster-duplicate-name", $"cluster/{cluster.Name}", $"Two clusters are named {cluster.Name}.", "Remove one of them."));
                continue;
            }

            sound.Add(cluster with { Prefixes = Prefixes(cluster, outside, findings), Gateways = Gateways(cluster, keys, findings) });
        }

        return sound.OrderBy(c => c.Name, StringComparer.Ordinal).ToList();
    }

    static ValueList<MeshPrefix> Prefixes(ClusterFacts cluster, CidrIndex outside, List<Finding> findings)
    {
        var good = new List<MeshPrefix>(cluster.Prefixes.Count);
        foreach (var prefix in cluster.Prefixes.OrderBy(p => p.Local))
        {
            var equalLengths = prefix.Mesh.Family == prefix.Local.Family && prefix.Mesh.Length == prefix.Local.Length
                && (prefix.Alias is null || (prefix.Alias.Family == prefix.Local.Family && prefix.Alias.Length == prefix.Local.Length));
            if (!equalLengths || !outside.TryAdd(prefix.Mesh) || (prefix.Alias is not null && !outside.TryAdd(prefix.Alias)))
            {
                findings.Add(Error("prefix-overlap", $"cluster/{cluster.Name}",
                    $"{prefix.Mesh} of {cluster.Name} overlaps another cluster's mesh prefix, or its remap is not of equal length.",
                    "Remove the cluster and join it again; please report this, the control service should have refused it."));
                continue;
            }

            good.Add(prefix);
        }

        return good.ToValueList();
    }

    static ValueList<GatewayFacts> Gateways(ClusterFacts cluster, HashSet<PublicKey> keys, List<Finding> findings)
    {
        var ordinals = new HashSet<int>();
        var good = new List<GatewayFacts>(cluster.Gateways.Count);
        foreach (var gateway in cluster.Gateways.OrderBy(g => g.Ordinal).ThenBy(g => g.Name, StringComparer.Ordinal))
        {
            var subject = $"gateway/{cluster.Name}/{gateway.Name}";
            if (!gateway.IsLeaf && (gateway.Ordinal is < 0 or >= GatewayFacts.MaxPerCluster || !ordinals.Add(gateway.Ordinal)))
            {
                findings.Add(Error("gateway-ordinal", subject, $"The ordinal {gateway.Ordinal} is out of range or taken.", "Remove this gateway and enrol it again."));
            }
            else if (!keys.Add(gateway.PublicKey))
            {
                findings.Add(Error("gateway-duplicate-key", subject, "Another gateway has the same public key.", "Enrol it again with a new key: two machines must not share one."));
            }
            else if (gateway.NextKey is { } next && !keys.Add(next))
            {
                findings.Add(Error("gateway-duplicate-key", subject, "Another gateway has the public key that is to be its next one: it keeps the one that it has.", "Change its key again: mfctl tunnel rotate-key CLUSTER."));
                good.Add(gateway with { NextKey = null, ChangesKey = false });
            }
            else
            {
                good.Add(gateway);
            }
        }

        return good.ToValueList();
    }

    static Finding Error(string code, string subject, string message, string hint) => new(FindingSeverity.Error, code, subject, message, hint);

    /// <summary>Prefixes of which none overlaps another, in order of their first address.</summary>
    sealed class CidrIndex
    {
        readonly SortedSet<Cidr> _v4 = [];
        readonly SortedSet<Cidr> _v6 = [];

        public bool TryAdd(Cidr cidr)
        {
            var set = cidr.IsIPv4 ? _v4 : _v6;
            if (set.Count > 0)
            {
                var host = Cidr.Host(cidr.LastAddress);
                // Neighbours on both sides are enough, for those inside do not overlap each other.
                var below = set.GetViewBetween(Lowest(cidr), host).Max;
                if (below is not null && below.Overlaps(cidr))
                {
                    return false;
                }
            }

            return set.Add(cidr);
        }

        static Cidr Lowest(Cidr cidr) => Cidr.OfBits(cidr.Family, UInt128.Zero, 0);
    }
}
