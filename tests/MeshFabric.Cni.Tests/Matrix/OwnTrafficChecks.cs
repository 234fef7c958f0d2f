using System.Net;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>What a cluster did before it joined it does the same way afterwards.</summary>
static class OwnTrafficChecks
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Between pods of the cluster, to the internet, by Services; and between the containers of one pod, which share its loopback.</summary>
    public static async Task UnchangedAsync(Row row)
    {
        var worker = row.Worker.Address!;
        var gateway = row.Gateway.Address!;
        // The plain plug-ins masquerade towards other nodes; what they did before is what is asked for.
        var hides = row.Plugin is "bridge" or "ptp";
        await Row.ExpectAsync(
        [
            Request.Of(row.PodOnWorker, row.Stranger.Address!, worker),
            Request.Of(row.PodOnGateway, row.Stranger.Address!, gateway),
            Request.OfAny(row.PodOnWorker, row.PodOnGateway.Address!, hides ? [worker, row.PodOnWorker.Address!] : [row.PodOnWorker.Address!]),
            Request.OfAny(row.PodOnGateway, row.PodOnWorker.Address!, hides ? [gateway, row.PodOnGateway.Address!] : [row.PodOnGateway.Address!]),
            Request.Of(row.PodOnWorker, row.SecondOnWorker.Address!, row.PodOnWorker.Address!),
            Request.OfAny(row.PodOnGateway, Row.WorkerPodAlone, hides ? [gateway, row.PodOnGateway.Address!] : [row.PodOnGateway.Address!]),
            Request.Of(row.PodOnWorker, IPAddress.Loopback, IPAddress.Loopback),
        ]);
    }

    public static async Task NodePortsAsync(Row row)
    {
        var outside = row.Stranger;
        foreach (var (node, port, kept) in new[] { (row.Worker, Row.LocalPort, true), (row.Worker, Row.ClusterPort, false), (row.Gateway, Row.ClusterPort, false) })
        {
            var answer = (await row.Lab.ExecAsync("control", ["curl", "-sf", "-m", "8", $"http://{node.Address}:{port}/"], Cancellation)).Output.Trim();
            Assert.True(IPAddress.TryParse(answer, out var seen), $"{node.Name}:{port} did not answer");
            // With policy Cluster the node asks in its own name, or the answer would not come back by it.
            Assert.True(kept == seen.Equals(outside.Address), $"{node.Name}:{port} saw {seen}");
        }

        // A pod that asks the Service of which it is the only endpoint. The plain bridge's ports are no hairpins: there it never worked.
        var itself = await PodClient.SeenAsAsync(row.PodOnWorker, Row.WorkerPodAlone, TimeSpan.FromSeconds(row.Plugin == "bridge" ? 2 : 8), Cancellation);
        Assert.Equal(row.Plugin != "bridge", itself is not null);
    }
}
