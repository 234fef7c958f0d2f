using MeshFabric.Bench.Measuring;
using MeshFabric.Bench.Peers;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;

namespace MeshFabric.Bench;

/// <summary>Pod to pod through the mesh against the bare path, wireguard-go set by hand, and nebula, each on a lab of the same shape, in turns.</summary>
sealed class ThroughputBenchmark : IBenchmark
{
    const int Seconds = 2;

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
        (string Name, Lab.Lab Lab)[] peers = [("veth", veth), ("wireguard", wireguard), ("mesh", mesh.Lab), ("nebula", nebula)];
        foreach (var (name, lab) in peers)
        {
            await Traffic.ServeAsync(lab, TwoSites.To, cancellationToken);
            await Traffic.ReachesAsync(lab, TwoSites.From, TwoSites.Target, name, cancellationToken);
        }

        var tcp = peers.ToDictionary(p => p.Name, _ => new List<double>());
        var rtt = peers.ToDictionary(p => p.Name, _ => new List<double>());
        for (var round = 1; round <= context.Rounds; round++)
        {
            var means = await Rounds.ThereAndBackAsync(round, peers, p => Traffic.TcpAsync(p.Lab, TwoSites.From, TwoSites.Target, Seconds, 1, cancellationToken));
            foreach (var (peer, mean) in peers.Zip(means))
            {
                tcp[peer.Name].Add(mean);
            }

            foreach (var (name, lab) in Rounds.Order(round, peers))
            {
                rtt[name].AddRange(await Traffic.PingAsync(lab, TwoSites.From, TwoSites.Target, cancellationToken));
            }

            context.Say($"round {round} of {context.Rounds}: {string.Join(", ", peers.Select(p => $"{p.Name} {tcp[p.Name][^1]:0} Mbit/s"))}");
        }

        double Ratio(string one, string other) => tcp[one].Zip(tcp[other], (a, b) => a / b).Median();
        return
        [
            new("mesh_over_wireguard_ratio", Ratio("mesh", "wireguard"), ">= 0.97"),
            new("wireguard_over_veth_ratio", Ratio("wireguard", "veth")),
            new("mesh_over_nebula_ratio", Ratio("mesh", "nebula")),
            .. peers.Select(p => new Figure($"{p.Name}_tcp_median_mbps", tcp[p.Name].Median())),
            .. peers.Select(p => new Figure($"{p.Name}_ping_p50_ms", rtt[p.Name].Quantile(0.5))),
            .. peers.Select(p => new Figure($"{p.Name}_ping_p99_ms", rtt[p.Name].Quantile(0.99))),
        ];
    }
}
