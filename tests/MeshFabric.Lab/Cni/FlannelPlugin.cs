using System.Net;
using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

enum FlannelKind
{
    Vxlan,
    HostGateway,

    /// <summary>VXLAN with rules in flannel's own nftables table.</summary>
    Nftables,
}

/// <summary>Flannel: iptables rules of 0.20, nftables rules of 0.28; pods by the real bridge and host-local plug-ins, as flannel's own plug-in delegates to them.</summary>
sealed class FlannelPlugin(FlannelKind kind) : ICniPlugin
{
    const string Network = "cbr0";

    public string Name => kind switch
    {
        FlannelKind.Vxlan => "flannel-vxlan",
        FlannelKind.HostGateway => "flannel-host-gw",
        _ => "flannel-nftables",
    };

    int Mtu => kind == FlannelKind.HostGateway ? 1500 : 1450;

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => ReferenceCni.PodAddress(cluster, node, pod);

    /// <summary>The pods have addresses, and flannel's rules are there for them.</summary>
    public bool IsDualStack => true;

    public CniObjects Objects(CniCluster cluster) =>
        FlannelObjects.Of(cluster, kind == FlannelKind.Nftables ? "v0.28.0" : "v0.20.2", kind != FlannelKind.HostGateway, kind == FlannelKind.Nftables);

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        if (kind == FlannelKind.HostGateway)
        {
            NodeRoutes.Direct(script, cluster, node);
        }
        else
        {
            FlannelState.Vxlan(script, cluster, node);
        }

        FlannelState.SubnetFile(script, cluster, node, Mtu);
        Rules(script, node, cluster.Network, node.PodCidr);
        if (node.PodCidr6 is { } six)
        {
            Rules(script, node, Cidr.Parse(cluster.Topology.Spec.PodCidr6!), six);
        }

        ReferenceCni.Conflist(
            script, node.Host, "10-flannel.conflist", Network,
            new { type = "flannel", @delegate = new { hairpinMode = true, isDefaultGateway = true } },
            new { type = "portmap", capabilities = new { portMappings = true } });
        ReferenceCni.AddPods(script, node, Pods(cluster, node));
    }

    void Rules(NetworkScript script, CniNode node, Cidr network, Cidr pods)
    {
        if (kind == FlannelKind.Nftables)
        {
            script.Nft(node.Host, FlannelState.NftRules(network, pods));
        }
        else if (network.IsIPv4)
        {
            script.Iptables(node.Host, FlannelState.IptablesRules(network, pods));
        }
        else
        {
            script.Ip6tables(node.Host, FlannelState.IptablesRules(network, pods));
        }
    }

    public ReferencePods Pods(CniCluster cluster, CniNode node) => new(Network, new()
    {
        ["type"] = "bridge",
        ["isDefaultGateway"] = true,
        ["hairpinMode"] = true,
        ["ipMasq"] = false,
        ["mtu"] = Mtu,
        ["ipam"] = ReferenceCni.HostLocal(node, cluster.Network.ToString()),
    });
}
