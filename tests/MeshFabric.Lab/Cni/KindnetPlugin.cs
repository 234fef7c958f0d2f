using System.Net;
using MeshFabric.Lab.Topology;
using static MeshFabric.Lab.Cni.CniObjects;

namespace MeshFabric.Lab.Cni;

/// <summary>kindnet: ptp and host-local without ipMasq, routes between the nodes, and three rules that hide all that leaves a node for another range, transit too.</summary>
sealed class KindnetPlugin : ICniPlugin
{
    const string Network = "kindnet";

    public string Name => "kindnet";

    public IPAddress PodAddress(ClusterTopology cluster, int node, int pod) => ReferenceCni.PodAddress(cluster, node, pod);

    public bool IsDualStack => true;

    public CniObjects Objects(CniCluster cluster) => new()
    {
        DaemonSets = [DaemonSet("kube-system", "kindnet", ("app", "kindnet"), Container("kindnet-cni", "docker.io/kindest/kindnetd:v20240202", ("POD_SUBNET", string.Join(',', new[] { cluster.Topology.Spec.PodCidr, cluster.Topology.Spec.PodCidr6 }.OfType<string>()))))],
    };

    public void Build(NetworkScript script, CniCluster cluster, CniNode node)
    {
        NodeRoutes.Direct(script, cluster, node);
        script.Iptables(node.Host, Rules($"{cluster.Network}"));
        if (cluster.Topology.Spec.PodCidr6 is { } six)
        {
            script.Ip6tables(node.Host, Rules(six));
        }

        script.Directory(node.Host, "/run/cni-ipam-state");
        var pods = Pods(cluster, node);
        ReferenceCni.Conflist(script, node.Host, "10-kindnet.conflist", Network, pods.Settings);
        ReferenceCni.AddPods(script, node, pods);
    }

    public ReferencePods Pods(CniCluster cluster, CniNode node)
    {
        var ipam = ReferenceCni.HostLocal(node, "0.0.0.0/0", "::/0");
        ipam["dataDir"] = "/run/cni-ipam-state";
        return new(Network, new() { ["type"] = "ptp", ["mtu"] = 1500, ["ipMasq"] = false, ["ipam"] = ipam });
    }

    static string Rules(string pods) => $"""
        *nat
        :KIND-MASQ-AGENT - [0:0]
        -A POSTROUTING -m addrtype ! --dst-type LOCAL -m comment --comment "kind-masq-agent: all that is not for this node" -j KIND-MASQ-AGENT
        -A KIND-MASQ-AGENT -d {pods} -m comment --comment "kind-masq-agent: between pods" -j RETURN
        -A KIND-MASQ-AGENT -m comment --comment "kind-masq-agent: the rest" -j MASQUERADE
        COMMIT
        """;
}
