using System.Globalization;
using MeshFabric.Bench.Measuring;
using MeshFabric.Bench.Peers;

namespace MeshFabric.Bench;

/// <summary>Whether several WireGuard devices between the same two gateways carry more than one.</summary>
sealed class DevicesBenchmark : IBenchmark
{
    const int Seconds = 2;
    const int Streams = 8;
    static readonly int[] Counts = [1, 2, 4];

    public string Name => "devices";

    public string Description =>
        "For decision 18: wireguard-go set up by hand between two sites with one gateway each, with one, two and four devices on each side that share the flows by their ports (ECMP), on three labs of the same shape that are up at the same time. Eight TCP streams one way, in turns, there and back again; a ratio is the median of the rounds' ratios. " +
        "`cpu_seconds_per_gb` are the processor seconds of all wireguard-go processes of both sides for each 10^9 bytes that came out of the tunnels. What it says holds for a machine of this size.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        await using var one = await HandSetWireGuard.CreateAsync("bench-dev1", cancellationToken, 1);
        await using var two = await HandSetWireGuard.CreateAsync("bench-dev2", cancellationToken, 2);
        await using var four = await HandSetWireGuard.CreateAsync("bench-dev4", cancellationToken, 4);
        (int Count, Lab.Lab Lab)[] sites = [.. Counts.Zip([one, two, four])];
        foreach (var (count, lab) in sites)
        {
            await Traffic.ServeAsync(lab, TwoSites.To, cancellationToken);
            await Traffic.ReachesAsync(lab, TwoSites.From, TwoSites.Target, $"{count} devices", cancellationToken);
        }

        var tcp = Counts.ToDictionary(c => c, _ => new List<double>());
        var cost = Counts.ToDictionary(c => c, _ => new List<double>());
        for (var round = 1; round <= context.Rounds; round++)
        {
            var means = await Rounds.ThereAndBackAsync(round, sites, async site =>
            {
                var before = await SpentAsync(site.Lab, site.Count, cancellationToken);
                var mbps = await Traffic.TcpAsync(site.Lab, TwoSites.From, TwoSites.Target, Seconds, Streams, cancellationToken);
                var after = await SpentAsync(site.Lab, site.Count, cancellationToken);
                cost[site.Count].Add((after.Seconds - before.Seconds) / (after.Gigabytes - before.Gigabytes));
                return mbps;
            });
            foreach (var (site, mean) in sites.Zip(means))
            {
                tcp[site.Count].Add(mean);
            }

            context.Say(string.Create(CultureInfo.InvariantCulture, $"round {round} of {context.Rounds}: {string.Join(", ", Counts.Select(c => $"{Word(c)} {tcp[c][^1]:0} Mbit/s"))}"));
        }

        double Ratio(int count) => tcp[count].Zip(tcp[1], (several, single) => several / single).Median();
        return
        [
            new("two_devices_over_one_ratio", Ratio(2)),
            new("four_devices_over_one_ratio", Ratio(4)),
            .. Counts.Select(c => new Figure($"{Word(c)}_tcp_median_mbps", tcp[c].Median())),
            .. Counts.Select(c => new Figure($"{Word(c)}_cpu_seconds_per_gb", cost[c].Median())),
        ];
    }

    static async Task<(double Seconds, double Gigabytes)> SpentAsync(Lab.Lab lab, int devices, CancellationToken cancellationToken)
    {
        var received = await DeviceCounters.ReadAsync(lab, lab.Topology[TwoSites.To].Cluster + "-gw1", "wg", cancellationToken);
        return (HandSetWireGuard.ProcessorSeconds(lab, devices), received.ReceivedBytes / 1e9);
    }

    static string Word(int count) => count switch { 1 => "one_device", 2 => "two_devices", _ => "four_devices" };
}
