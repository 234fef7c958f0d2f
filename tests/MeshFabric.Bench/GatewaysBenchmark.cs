using System.Globalization;
using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Bench;

/// <summary>What a second gateway of each cluster adds.</summary>
sealed class GatewaysBenchmark : IBenchmark
{
    const int Seconds = 2;
    const int StreamsEachWay = 16;
    const int UplinkMbps = 50;
    const int FlowPairs = 32;
    const int FlowRate = 50;
    const string Near = "a-w1-p1";
    const string Far = "b-w1-p1";
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public string Name => "gateways";

    public string Description => string.Create(CultureInfo.InvariantCulture,
        $"Two clusters with two gateways each against two with one each, both labs up at the same time. {StreamsEachWay * 2} TCP streams from pod to pod, {StreamsEachWay} each way at once; the sum of both ways is measured in turns, there and back again, and the ratio is the median of the rounds' ratios. First as it is: on one machine all gateways share its processors, which are the limit (`cpu_bound`). Then with every gateway's connection to the internet shaped to {UplinkMbps} Mbit/s each way (tc-tbf on both ends of its link), far below what the processors can do (`uplink_bound`). ")
        + $"Before both, {FlowPairs * 2} UDP conversations between the pods of the larger lab, half of them begun on each side: what each gateway's tunnel devices send and receive is counted for the same seconds. `ecmp_smaller_share` is the share of the gateway that carried less, on the side where it was smaller (0.5 is even); `gateways_carrying_both_ways` are those of the four that carried both ways at once, in the worst round. Each host hashes flows by a seed of its own, as machines do.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        await using var single = await JoinedAsync("bench-one", 1, context, cancellationToken);
        await using var twin = await JoinedAsync("bench-two", 2, context, cancellationToken);
        Lab.Lab[] labs = [single.Lab, twin.Lab];
        foreach (var lab in labs)
        {
            await Traffic.ServeAsync(lab, Far, cancellationToken);
            await Traffic.ReachesAsync(lab, Near, $"{lab.Topology[Far].Address}", lab.Spec.Name, cancellationToken);
        }

        var shares = await SharesAsync(twin.Lab, context, cancellationToken);
        var plain = await ThroughputAsync("cpu_bound", labs, null, context, cancellationToken);
        foreach (var lab in labs)
        {
            await Uplinks.ShapeAsync(lab, UplinkMbps, cancellationToken);
        }

        return [.. plain, .. await ThroughputAsync("uplink_bound", labs, ">= 1.8", context, cancellationToken), .. shares];
    }

    static async Task<MeshLab> JoinedAsync(string name, int gateways, BenchmarkContext context, CancellationToken cancellationToken)
    {
        ClusterSpec Cluster(string cluster, string cidr) => new(cluster, cidr) { Gateways = gateways, PodsPerWorker = 1 };
        var mesh = await MeshLab.CreateAsync(new LabSpec(name, [Cluster("a", "10.10.0.0/16"), Cluster("b", "10.20.0.0/16")]), context.Programs, context.Say, cancellationToken);
        try
        {
            foreach (var cluster in mesh.Lab.Spec.Clusters)
            {
                await mesh.JoinAsync(cluster.Name, cancellationToken);
            }

            await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "90");
            await mesh.Lab.HashApartAsync(cancellationToken);
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    static async Task<IReadOnlyList<Figure>> ThroughputAsync(string bound, Lab.Lab[] labs, string? limit, BenchmarkContext context, CancellationToken cancellationToken)
    {
        var (one, two) = (new List<double>(), new List<double>());
        for (var round = 1; round <= context.Rounds; round++)
        {
            var means = await Rounds.ThereAndBackAsync(round, labs, async lab =>
            {
                var (there, back) = await Traffic.TcpBothWaysAsync(lab, Near, $"{lab.Topology[Far].Address}", Seconds, StreamsEachWay, cancellationToken);
                return there + back;
            });
            one.Add(means[0]);
            two.Add(means[1]);
            context.Say(string.Create(CultureInfo.InvariantCulture, $"{bound}, round {round} of {context.Rounds}: one gateway {one[^1]:0} Mbit/s, two {two[^1]:0}"));
        }

        return
        [
            new($"two_over_one_{bound}_ratio", two.Zip(one, (t, o) => t / o).Median(), limit),
            new($"one_gateway_{bound}_median_mbps", one.Median()),
            new($"two_gateways_{bound}_median_mbps", two.Median()),
        ];
    }

    static async Task<IReadOnlyList<Figure>> SharesAsync(Lab.Lab lab, BenchmarkContext context, CancellationToken cancellationToken)
    {
        await using var servers = PodServers.Start(lab.Topology);
        var (forward, back, carriers) = (new List<double>(), new List<double>(), new List<int>());
        for (var round = 1; round <= context.Rounds; round++)
        {
            // New flows, and so other ports: each round asks the hash anew.
            await using var flows = PingFlows.BothWays(lab.Topology[Near], lab.Topology[Far], FlowPairs, FlowRate);
            await flows.GoOnAsync(Limit, "before", cancellationToken);
            var before = await CountAsync(lab, cancellationToken);
            await flows.GoOnAsync(Limit, "while counted", cancellationToken);
            var carried = (await CountAsync(lab, cancellationToken)).ToDictionary(c => c.Key, c => c.Value - before[c.Key]);
            forward.Add(Math.Min(Smaller(carried, "a", c => c.Sent), Smaller(carried, "b", c => c.Received)));
            back.Add(Math.Min(Smaller(carried, "a", c => c.Received), Smaller(carried, "b", c => c.Sent)));
            carriers.Add(carried.Values.Count(c => Math.Min(c.Sent, c.Received) > carried.Values.Sum(x => x.Sent) / 100));
            context.Say(string.Create(CultureInfo.InvariantCulture, $"shares, round {round} of {context.Rounds}: {forward[^1]:0.00} forward, {back[^1]:0.00} back; {string.Join(", ", carried.Select(c => $"{c.Key.Name} {c.Value.Sent} out {c.Value.Received} in"))}"));
        }

        return [new("ecmp_smaller_share_forward", forward.Median()), new("ecmp_smaller_share_back", back.Median()), new("gateways_carrying_both_ways", carriers.Min(), ">= 4")];
    }

    static async Task<Dictionary<LabHost, DeviceCounters>> CountAsync(Lab.Lab lab, CancellationToken cancellationToken)
    {
        var counters = new Dictionary<LabHost, DeviceCounters>();
        foreach (var gateway in lab.Topology.Gateways)
        {
            counters[gateway] = await DeviceCounters.ReadAsync(lab, gateway.Name, "mf", cancellationToken);
        }

        return counters;
    }

    static double Smaller(Dictionary<LabHost, DeviceCounters> carried, string cluster, Func<DeviceCounters, long> direction)
    {
        var counts = carried.Where(c => c.Key.Cluster == cluster).Select(c => (double)direction(c.Value)).ToList();
        return counts.Min() / counts.Sum();
    }
}
