using MeshFabric.Bench.Measuring;
using MeshFabric.Bench.Peers;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;

namespace MeshFabric.Bench;

/// <summary>Pod to pod through the mesh against the bare path, wireguard-go set by hand, and nebula, each on a lab of the same shape, in turns.</summary>
sealed class ThroughputBenchmark : IBenchmark
{
    public string Name => "throughput";

    public string Description =>
        "TCP, one stream, and round trips from a pod over worker, gateway, internet, gateway and worker to a pod, on four labs of the same shape that are up at the same time: no tunnel (`veth`), wireguard-go set up by hand with `wg` and `ip`, " +
        "nebula, and MeshFabric. In each round they are measured in turns, there and back again; a ratio is the median of the rounds' ratios, so that what disturbs the machine disturbs both sides.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        await using var veth = await InClear.CreateAsync("bench-veth", cancellationToken);
        await using var wireguard = await HandSetWireGuard.CreateAsync("bench-wg", cancellationToken);
        await using var nebula = await Nebula.CreateAsync("bench-neb", cancellationToken);
        await using var mesh = await MeshLab.CreateAsync(new LabSpec("bench-mesh", TwoSites.Clusters), context.Programs, context.Say, cancellationToken);
        foreach (var cluster in TwoSites.Clusters)
        {
            await mesh.JoinAsync(cluster.Name, cancellationToken);
        }

        await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "60");
        Way[] ways = [.. new[] { ("veth", veth), ("wireguard", wireguard), ("mesh", mesh.Lab), ("nebula", nebula) }.Select(p => new Way(p.Item1, p.Item2, TwoSites.From, TwoSites.Target))];
        foreach (var way in ways)
        {
            await Traffic.ServeAsync(way.Lab, TwoSites.To, cancellationToken);
            await Traffic.ReachesAsync(way.Lab, way.From, way.To, way.Name, cancellationToken);
        }

        var measured = await InTurns.MeasureAsync(context, ways, cancellationToken);
        return
        [
            new("mesh_over_wireguard_ratio", measured.Ratio("mesh", "wireguard"), ">= 0.97"),
            new("wireguard_over_veth_ratio", measured.Ratio("wireguard", "veth")),
            new("mesh_over_nebula_ratio", measured.Ratio("mesh", "nebula")),
            .. measured.Figures,
        ];
    }
}
