using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Domain.Clusters;

/// <summary>What a cluster's networking is: three facts rather than one name, for they come in every combination (Flannel's data path with Calico's policies is Canal).</summary>
/// <remarks>Names are text, not an enumeration: a newer agent may report one that an older control service has never heard of.</remarks>
/// <param name="PodCidrSource">Where the cluster's pod CIDRs were read, in words; empty when they were not found.</param>
/// <param name="ServiceCidrSource">As <paramref name="PodCidrSource"/>, of the Service CIDRs.</param>
/// <param name="Findings">What a person should look at; subjects are <c>networking</c> or <c>node/NAME</c>.</param>
public sealed record ClusterNetworking(
    DataPath DataPath,
    PolicyEngine PolicyEngine,
    ServiceProxy ServiceProxy,
    string PodCidrSource,
    string ServiceCidrSource,
    ValueList<Finding> Findings)
{
    /// <summary>More than a person would read, and no more than an agent may report.</summary>
    public const int MaxFindings = 64;

    /// <summary>Characters of one text.</summary>
    public const int MaxText = 1000;
}

/// <summary>Who gives pods their addresses and carries their packets between nodes.</summary>
/// <param name="Plugin">One of <see cref="CniPlugin"/>.</param>
/// <param name="Encapsulation">vxlan, vxlan-cross-subnet, ipip, ipip-cross-subnet, geneve, wireguard, host-gw, bgp, fastdp, sleeve, none; empty when it was not seen.</param>
/// <param name="Version">Tag of its image; empty when it was not seen.</param>
/// <param name="Namespace">Of its DaemonSet; empty when it has none.</param>
/// <param name="Source">Where it was seen, in words.</param>
public sealed record DataPath(string Plugin, string Encapsulation, string Version, string Namespace, string Source);

/// <summary>Who enforces NetworkPolicy.</summary>
/// <param name="Name">calico, weave-npc, kube-network-policies, kube-router, cilium, aws-network-policy-agent, azure-npm, none, unknown.</param>
/// <param name="Source">Where it was seen, in words.</param>
public sealed record PolicyEngine(string Name, string Source);

/// <summary>Who turns a Service's address into a pod's.</summary>
/// <param name="Name">kube-proxy, cilium, calico, none, unknown.</param>
/// <param name="Mode">iptables, nftables, ipvs, ebpf; empty when it was not seen.</param>
/// <param name="ClusterCidrs">What it takes for the cluster's pods: sources outside are masqueraded on their way to a Service. Empty: it looks at no source.</param>
/// <param name="Source">Where it was seen, in words.</param>
public sealed record ServiceProxy(string Name, string Mode, ValueList<Cidr> ClusterCidrs, string Source);

/// <summary>The data paths that are told apart.</summary>
public static class CniPlugin
{
    public const string Flannel = "flannel";
    public const string Calico = "calico";

    /// <summary>Flannel's data path with Calico's interfaces and policies.</summary>
    public const string Canal = "canal";

    public const string Weave = "weave";

    /// <summary>The reference plug-ins, routes between nodes by others.</summary>
    public const string Bridge = "bridge";

    /// <summary>As <see cref="Bridge"/>, without a bridge.</summary>
    public const string Ptp = "ptp";

    public const string Kindnet = "kindnet";
    public const string Cilium = "cilium";
    public const string AwsVpc = "aws-vpc-cni";
    public const string Azure = "azure-cni";
    public const string Gke = "gke";
    public const string Unknown = "unknown";
}
