using System.Diagnostics;
using System.Globalization;
using MeshFabric.Bench.Measuring;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Bench;

/// <summary>What one gateway's plan costs, by the number of clusters.</summary>
sealed class PlannerBenchmark : IBenchmark
{
    static readonly int[] Sizes = [10, 100, 1000, 5000];

    public string Name => "planner";

    public string Description =>
        "`MeshPlanner.Plan`, what every agent runs when the facts change, for one gateway of a full mesh of N clusters with two gateways and a /20 each: time and allocation of one call, the median of many.";

    public Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        var figures = new List<Figure>();
        foreach (var size in Sizes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var facts = Facts(size);
            var self = facts.Clusters[size / 2];
            var runs = Math.Clamp(20000 / size, 5, 200);
            for (var warm = 0; warm < 3; warm++)
            {
                MeshPlanner.Plan(facts, self.Id, self.Gateways[0].Id);
            }

            var (times, bytes) = (new List<double>(), new List<double>());
            for (var run = 0; run < runs; run++)
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                var clock = Stopwatch.GetTimestamp();
                MeshPlanner.Plan(facts, self.Id, self.Gateways[0].Id);
                times.Add(Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
                bytes.Add(GC.GetAllocatedBytesForCurrentThread() - before);
            }

            figures.Add(new Figure(string.Create(CultureInfo.InvariantCulture, $"plan_{size}_clusters_median_ms"), times.Median()));
            figures.Add(new Figure(string.Create(CultureInfo.InvariantCulture, $"plan_{size}_clusters_allocated_kib"), bytes.Median() / 1024));
            context.Say($"{size} clusters: {times.Median():0.00} ms, {bytes.Median() / 1024:0} KiB");
        }

        return Task.FromResult<IReadOnlyList<Figure>>(figures);
    }

    static MeshFacts Facts(int size)
    {
        var settings = MeshSettings.Default;
        var tunnels = Cidr.Parse("198.19.0.0/16");
        var clusters = Enumerable.Range(0, size).Select(i =>
        {
            var prefix = Cidr.OfBits(System.Net.Sockets.AddressFamily.InterNetwork, Cidr.Parse("10.0.0.0/8").Bits + ((UInt128)i << 12), 20);
            var gateways = Enumerable.Range(0, 2).Select(g => new GatewayFacts(
                $"g-{i}-{g}", $"gw{g + 1}", g, Key(i, g), 51820, [UdpEndpoint.Parse($"198.51.{i / 250}.{(i % 250) + 1}:{51820 + (g * 10)}")],
                [Cidr.OfBits(tunnels.Family, tunnels.Bits + (UInt128)((i * 2) + g + 1), 32)])).ToValueList();
            return new ClusterFacts($"c-{i}", $"c{i:0000}", i + 1, ClusterKind.Site, ClusterLocation.Unknown, [], [new MeshPrefix(prefix, prefix)], gateways);
        }).ToValueList();
        return new MeshFacts(size, settings, clusters);
    }

    static PublicKey Key(int cluster, int gateway)
    {
        var bytes = new byte[PublicKey.Size];
        new Random((cluster * 2) + gateway).NextBytes(bytes);
        return PublicKey.Parse(Convert.ToBase64String(bytes));
    }
}
