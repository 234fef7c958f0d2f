using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;

namespace MeshFabric.Domain.Clusters;

/// <summary>Where the pods of one node get their addresses, and what the node itself can speak to the mesh with.</summary>
/// <param name="PodPrefixes">Of the pods on this node, sorted; empty where that cannot be told.</param>
/// <param name="Sources">The node's own addresses inside the cluster's pod CIDRs, at most one per family, IPv4 first. None with ptp, kindnet or Calico without tunnels.</param>
/// <param name="PrefixSource">Where <paramref name="PodPrefixes"/> were read, in words.</param>
public sealed record NodeAddressing(ValueList<Cidr> PodPrefixes, ValueList<IPAddress> Sources, string PrefixSource)
{
    /// <summary>Pure. The controller manager fills podCIDRs even where the plug-in takes its addresses from elsewhere, so they count only for plug-ins that use them.</summary>
    /// <param name="podCidrs">Of the Node object.</param>
    /// <param name="clusterPodCidrs">Of the whole cluster; may be empty: what the plug-in in force shows on the node is added.</param>
    public static NodeAddressing Of(NodeObservation seen, ValueList<Cidr> podCidrs, ValueList<Cidr> clusterPodCidrs)
    {
        var (prefixes, source) = PrefixesOf(seen, podCidrs);
        ValueList<Cidr> inside = [.. clusterPodCidrs, .. prefixes, .. NodeCni.NetworkOf(seen)];
        return new NodeAddressing(prefixes, SourcesOf(seen, inside), prefixes.Count == 0 ? "" : source);
    }

    static (ValueList<Cidr> Prefixes, string Source) PrefixesOf(NodeObservation seen, ValueList<Cidr> podCidrs)
    {
        const string fromNode = "the node's podCIDRs";
        var config = seen.InForce;
        switch (NodeCni.PluginOf(seen))
        {
            case CniPlugin.Flannel or CniPlugin.Canal when seen.Flannel is { Subnets.Count: > 0 } flannel:
                return (Sorted(flannel.Subnets), "Flannel's subnet.env");
            case CniPlugin.Calico when config is null or { Ipam: "calico-ipam" }:
                return (Sorted(seen.CalicoBlocks), "the routes of Calico's blocks");
            case CniPlugin.Weave:
                return (Sorted(seen.WeaveRanges), "Weave Net's ring");
            // Its own pools may replace podCIDRs; its device has an address of the pool that this node uses.
            case CniPlugin.Cilium:
                var own = seen.Links.FirstOrDefault(l => l.Name == "cilium_host")?.Addresses ?? [];
                return (Sorted(podCidrs.Where(p => own.Any(p.Contains))), fromNode);
            // Addresses of the cloud's network.
            case CniPlugin.AwsVpc or CniPlugin.Azure:
                return ([], "");
            default:
                return config is { Subnets.Count: > 0 } ? (Sorted(config.Subnets), $"CNI configuration {config.File}") : (Sorted(podCidrs), fromNode);
        }
    }

    static ValueList<IPAddress> SourcesOf(NodeObservation seen, ValueList<Cidr> inside) => seen.Links
        .OrderBy(Rank).ThenBy(l => l.Name, StringComparer.Ordinal)
        .SelectMany(l => l.Addresses)
        .Where(a => inside.Any(c => c.Contains(a)))
        .Select(a => a.Address)
        .DistinctBy(a => a.AddressFamily)
        .OrderBy(a => a.AddressFamily == AddressFamily.InterNetwork ? 0 : 1)
        .ToValueList();

    // A tunnel's device is there from the start and known to the plug-in on every node; a bridge comes with the first pod.
    static int Rank(NodeLink link) => link.Kind switch
    {
        "vxlan" or "ipip" or "wireguard" => 0,
        "bridge" => 1,
        _ => link.Name is "cilium_host" ? 0 : 2,
    };

    static ValueList<Cidr> Sorted(IEnumerable<Cidr> cidrs) => cidrs.Distinct().Order().ToValueList();
}
