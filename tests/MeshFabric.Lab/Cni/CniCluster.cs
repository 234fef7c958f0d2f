using System.Net;
using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

/// <summary>A cluster of the lab as its CNI plug-in sees it.</summary>
sealed class CniCluster
{
    public CniCluster(LabTopology lab, ClusterTopology cluster)
    {
        Lab = lab;
        Topology = cluster;
        Plugin = CniPlugins.Of(cluster.Spec.Cni!);
        Nodes = [.. Enumerable.Range(1, cluster.Spec.Nodes).Select(n => new CniNode(n, lab[$"{Name}-n{n}"], cluster.PodCidr(n), Pods(lab, n)) { PodCidr6 = cluster.PodCidr6(n) })];
    }

    public LabTopology Lab { get; }

    public ClusterTopology Topology { get; }

    public ICniPlugin Plugin { get; }

    public string Name => Topology.Spec.Name;

    /// <summary>The pod CIDR of the whole cluster.</summary>
    public Cidr Network => Cidr.Parse(Topology.Spec.PodCidr!);

    /// <summary>One of each family that its pods have.</summary>
    public IEnumerable<Cidr> Networks => new[] { Topology.Spec.PodCidr, Topology.Spec.PodCidr6 }.OfType<string>().Select(Cidr.Parse);

    public bool IsDualStack => Topology.Spec.PodCidr6 is not null;

    public IReadOnlyList<CniNode> Nodes { get; }

    public IEnumerable<CniNode> Others(CniNode node) => Nodes.Where(n => n != node);

    List<LabHost> Pods(LabTopology lab, int node) => [.. Enumerable.Range(1, Topology.Spec.PodsPerWorker).Select(p => lab[$"{Name}-n{node}-p{p}"])];
}

/// <summary>One node.</summary>
/// <param name="Number">From 1.</param>
/// <param name="PodCidr">As the Node object says it (<c>spec.podCIDR</c>), whether the plug-in heeds it or not.</param>
sealed record CniNode(int Number, LabHost Host, Cidr PodCidr, IReadOnlyList<LabHost> Pods)
{
    /// <summary>Null where pods have no IPv6.</summary>
    public Cidr? PodCidr6 { get; init; }

    public IEnumerable<Cidr> PodCidrs => new[] { PodCidr, PodCidr6 }.OfType<Cidr>();

    public IPAddress Address => Host.Address!;

    /// <summary>A hardware address of this node alone; <paramref name="kind"/> is its first three bytes.</summary>
    public string Mac(string kind) => $"{kind}:00:{Address.GetAddressBytes()[3]:x2}:{Number:x2}";
}
