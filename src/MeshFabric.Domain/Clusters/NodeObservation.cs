using System.Text.Json.Serialization;
using MeshFabric.Net;

namespace MeshFabric.Domain.Clusters;

/// <summary>What an agent sees of the CNI plug-in on its own node. Says nothing that changes with every pod, so that it is written seldom.</summary>
public sealed record NodeObservation
{
    public static readonly NodeObservation Empty = new();

    /// <summary>Readable CNI configurations by file name, as container runtimes order them.</summary>
    public ValueList<CniConfig> CniConfigs { get; init; } = [];

    /// <summary>The node's own links by name: no loopback, none of pods, none of ours.</summary>
    public ValueList<NodeLink> Links { get; init; } = [];

    /// <summary>Flannel's subnet.env; null when there is none.</summary>
    public FlannelSubnet? Flannel { get; init; }

    /// <summary>What Weave Net allocates from, and the parts that this node owns now.</summary>
    public ValueList<Cidr> WeaveNetwork { get; init; } = [];

    /// <inheritdoc cref="WeaveNetwork"/>
    public ValueList<Cidr> WeaveRanges { get; init; } = [];

    /// <summary>Address blocks that Calico keeps for this node, by its blackhole routes; and single addresses of its pods that another node's block lent.</summary>
    public ValueList<Cidr> CalicoBlocks { get; init; } = [];

    /// <summary>iptables backends that hold rules here: legacy, nft, or both.</summary>
    public ValueList<string> IptablesBackends { get; init; } = [];

    /// <summary>iptables chains whose names tell whose they are, in either backend: KUBE-SERVICES, WEAVE-NPC, ...</summary>
    public ValueList<string> Chains { get; init; } = [];

    /// <summary>nft tables of others that are no iptables: <c>ip flannel-ipv4</c>, <c>ip kube-proxy</c>, ...</summary>
    public ValueList<string> NftTables { get; init; } = [];

    /// <summary>kube-proxy's mode by the traces it leaves: iptables, nftables or ipvs; empty when there are none.</summary>
    public string ProxyMode { get; init; } = "";

    /// <summary>What is there and could not be read, one sentence each.</summary>
    public ValueList<string> Unread { get; init; } = [];

    /// <summary>The configuration that container runtimes use: the first by name, or the one behind a multiplexer.</summary>
    [JsonIgnore]
    public CniConfig? InForce => CniConfigs.FirstOrDefault(c => !c.IsMultiplexer);

    /// <summary>True when something here filters forwarded packets by NetworkPolicy, or may do so: our own rules must not accept what it has not judged.</summary>
    [JsonIgnore]
    public bool JudgesForwarding => Chains.Any(c => PolicyChains.Contains(c)) || NftTables.Any(t => PolicyTables.Contains(t))
        || NodeCni.PluginOf(this) is CniPlugin.Calico or CniPlugin.Canal or CniPlugin.Weave or CniPlugin.Cilium or CniPlugin.Unknown;

    static readonly ValueList<string> PolicyChains = ["AZURE-NPM", "KUBE-ROUTER-FORWARD", "WEAVE-NPC", "cali-FORWARD"];

    static readonly ValueList<string> PolicyTables = ["inet kindnet-network-policies", "inet kube-network-policies", "ip calico", "ip6 calico"];
}

/// <summary>One file of /etc/cni/net.d.</summary>
/// <param name="File">Name without its folder.</param>
/// <param name="Name">Of the network.</param>
/// <param name="Plugins">Types in the order of the chain; at least one.</param>
/// <param name="Ipam">Type of the first plug-in's address management; empty when it names none.</param>
/// <param name="Subnets">That addresses are taken from, where the file says it.</param>
/// <param name="UsesPodCidr">True when it says to take the node's podCIDR.</param>
/// <param name="DataDirectory">Where host-local keeps its leases; empty for another type.</param>
/// <param name="Mtu">Bytes; 0 when the file does not say.</param>
public sealed record CniConfig(string File, string Name, ValueList<string> Plugins, string Ipam, ValueList<Cidr> Subnets, bool UsesPodCidr, string DataDirectory, int Mtu)
{
    /// <summary>Multus only hands on to the next configuration.</summary>
    [JsonIgnore]
    public bool IsMultiplexer => Plugins[0].StartsWith("multus", StringComparison.Ordinal);
}

/// <summary>A link of the node's own.</summary>
/// <param name="Kind">vxlan, bridge, wireguard, ...; empty for physical ones.</param>
/// <param name="Mtu">Bytes.</param>
/// <param name="Addresses">As host prefixes; no link-local ones.</param>
public sealed record NodeLink(string Name, string Kind, int Mtu, ValueList<Cidr> Addresses);

/// <summary>/run/flannel/subnet.env.</summary>
/// <param name="Networks">FLANNEL_NETWORK and FLANNEL_IPV6_NETWORK: the cluster's.</param>
/// <param name="Subnets">FLANNEL_SUBNET and FLANNEL_IPV6_SUBNET: this node's.</param>
/// <param name="Mtu">Of pods, bytes.</param>
public sealed record FlannelSubnet(ValueList<Cidr> Networks, ValueList<Cidr> Subnets, int Mtu);
