using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;

namespace MeshFabric.Bench;

/// <summary>The same gateways and links with and without a one-to-one remap at the far edge.</summary>
sealed class RemapBenchmark : IBenchmark
{
    const int Seconds = 2;
    const string From = "a-w1-p1";
    const string Plain = "10.20.1.10";
    const string Remapped = "100.64.1.10";

    public string Name => "remap";

    public string Description =>
        "One pod sends by TCP, one stream, to a cluster that kept its prefix and to one of the same shape whose prefix is remapped one to one, in turns, there and back again; the ratio is the median of the rounds' ratios.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        ClusterSpec Cluster(string name, string cidr) => new(name, cidr) { Gateways = 1, PodsPerWorker = 1 };
        await using var mesh = await MeshLab.CreateAsync(new LabSpec("bench-remap", [Cluster("a", "10.10.0.0/16"), Cluster("b", "10.20.0.0/16"), Cluster("c", "10.20.0.0/16")]), context.Programs, context.Say, cancellationToken);
        foreach (var cluster in mesh.Lab.Spec.Clusters)
        {
            await mesh.JoinAsync(cluster.Name, cancellationToken);
        }

        await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "60");
        await Traffic.ServeAsync(mesh.Lab, "b-w1-p1", cancellationToken);
        await Traffic.ServeAsync(mesh.Lab, "c-w1-p1", cancellationToken);
        var (plain, remapped) = (new List<double>(), new List<double>());
        for (var round = 1; round <= context.Rounds; round++)
        {
            var means = await Rounds.ThereAndBackAsync(round, [Plain, Remapped], to => Traffic.TcpAsync(mesh.Lab, From, to, Seconds, 1, cancellationToken));
            plain.Add(means[0]);
            remapped.Add(means[1]);
            context.Say($"round {round} of {context.Rounds}: plain {plain[^1]:0}, remapped {remapped[^1]:0} Mbit/s");
        }

        return
        [
            new("remap_over_plain_ratio", remapped.Zip(plain, (r, p) => r / p).Median(), ">= 0.95"),
            new("plain_tcp_median_mbps", plain.Median()),
            new("remapped_tcp_median_mbps", remapped.Median()),
        ];
    }
}
