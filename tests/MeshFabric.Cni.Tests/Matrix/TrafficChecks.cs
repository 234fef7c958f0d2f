using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>What pods send and receive is counted on their own node, once, on the right side.</summary>
static partial class TrafficChecks
{
    const int Bytes = 1 << 20;

    /// <summary>Other flows, retransmissions and acknowledgements.</summary>
    const int Some = Bytes / 4;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task CountedAsync(Row row)
    {
        await MovesAsync(row, row.PodOnWorker, "mesh", () => BulkTransfer.BothWaysAsync(row.PodOnWorker, row.FarOnWorker, row.FarAddress(row.FarOnWorker.Address!), Bytes, Limit, Cancellation));
        await MovesAsync(row, row.PodOnGateway, "mesh", () => BulkTransfer.BothWaysAsync(row.FarOnWorker, row.PodOnGateway, row.NearAddress(row.PodOnGateway.Address!), Bytes, Limit, Cancellation));
        await MovesAsync(row, row.PodOnWorker, "outside", () => BulkTransfer.BothWaysAsync(row.PodOnWorker, row.Stranger, row.Stranger.Address!, Bytes, Limit, Cancellation));
        if (row.Plugin is "bridge" or "ptp")
        {
            // They masquerade between nodes too: who asks from another node is a stranger.
            return;
        }

        await MovesAsync(row, row.PodOnWorker, "", () => BulkTransfer.BothWaysAsync(row.PodOnWorker, row.PodOnGateway, row.PodOnGateway.Address!, Bytes, Limit, Cancellation));
    }

    /// <param name="side">Where the node of the pod must count it, in both directions; empty: nowhere. No other node counts it.</param>
    static async Task MovesAsync(Row row, LabHost pod, string side, Func<Task> transfer)
    {
        var before = await AllAsync(row);
        await transfer();
        var after = await AllAsync(row);
        foreach (var (place, bytes) in after)
        {
            var more = bytes - before[place];
            var wanted = place.Node == row.NodeOf(pod).Name && place.Side == side;
            Assert.True(wanted ? more is >= Bytes and < Bytes + Some : more < Some, $"1 MB each way between {pod.Name} and {(side.Length > 0 ? side : "its cluster")}: {place.Node} counted {more} bytes {place.Side} {place.Direction}");
        }

        if (side.Length > 0)
        {
            await ToldAsync(row, (row.NodeOf(pod).Name, side, "out"), after[(row.NodeOf(pod).Name, side, "out")]);
        }
    }

    /// <summary>Waits until the node's agent tells at least as much in its metrics.</summary>
    static async Task ToldAsync(Row row, (string Node, string Side, string Direction) place, long bytes)
    {
        long told = 0;
        await Until.TrueAsync(
            async () =>
            {
                var page = await row.Lab.ShellAsync(place.Node, "curl -sf -m 8 http://127.0.0.1:9586/metrics", Cancellation);
                told = Metric().Matches(page).Where(m => m.Groups["side"].Value == place.Side && m.Groups["direction"].Value == place.Direction).Sum(m => long.Parse(m.Groups["bytes"].Value, CultureInfo.InvariantCulture));
                return told >= bytes;
            },
            Row.Heal, () => $"the metrics of {place.Node} to tell of {bytes} bytes {place.Side} {place.Direction}; they tell of {told}", Cancellation);
    }

    static async Task<Dictionary<(string Node, string Side, string Direction), long>> AllAsync(Row row)
    {
        var all = new Dictionary<(string, string, string), long>();
        foreach (var node in row.Nodes)
        {
            using var counters = JsonDocument.Parse(await row.Lab.ShellAsync(node.Name, "nft -j list counters table inet meshfabric-node", Cancellation));
            foreach (var counter in counters.RootElement.GetProperty("nftables").EnumerateArray().Where(i => i.TryGetProperty("counter", out _)).Select(i => i.GetProperty("counter")))
            {
                var name = counter.GetProperty("name").GetString()!.Split('_');
                all[(node.Name, name[0], name[1])] = counter.GetProperty("bytes").GetInt64();
            }
        }

        Assert.Equal(row.Nodes.Count * 4, all.Count);
        return all;
    }

    [GeneratedRegex("^meshfabric_node_pod_bytes_total\\{.*direction=\"(?<direction>in|out)\",side=\"(?<side>mesh|outside)\"\\} (?<bytes>[0-9]+)", RegexOptions.Multiline)]
    private static partial Regex Metric();
}
