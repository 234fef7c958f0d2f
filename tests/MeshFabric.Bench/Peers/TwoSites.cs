using MeshFabric.Lab;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Bench.Peers;

/// <summary>Two sites with one gateway each, the same for every peer that is measured: pod, worker, gateway, internet, gateway, worker, pod.</summary>
public static class TwoSites
{
    public const string From = "a-w1-p1";
    public const string To = "b-w1-p1";
    public const string Target = "10.20.1.10";

    public static readonly IReadOnlyList<ClusterSpec> Clusters =
    [
        new ClusterSpec("a", "10.10.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
        new ClusterSpec("b", "10.20.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
    ];

    /// <summary>Gateway and its site's pods, for both sides; what each peer needs to know of the other.</summary>
    public static IEnumerable<(LabHost Gateway, LabHost Far, string FarPods)> Sides(LabTopology lab) =>
    [
        (lab["a-gw1"], lab["b-gw1"], "10.20.0.0/16"),
        (lab["b-gw1"], lab["a-gw1"], "10.10.0.0/16"),
    ];
}
