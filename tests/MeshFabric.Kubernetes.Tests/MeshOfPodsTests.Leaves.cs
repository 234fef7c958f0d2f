using System.Text.Json;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

// The nodes of borealis end tunnels themselves for a while.
public sealed partial class MeshOfPodsTests
{
    [Fact]
    public async Task Nodes_end_tunnels_themselves_when_that_is_declared_and_no_longer_when_not_and_nothing_is_lost()
    {
        const string space = "leaves";
        var aurora = await EchoWorkload.RunAsync(Aurora, space, 2, Cancellation);
        var borealis = await EchoWorkload.RunAsync(Borealis, space, Borealis.Nodes.Count(n => n.IsOn), Cancellation);
        var gateways = await GatewayNodesAsync();
        var workers = Borealis.Nodes.Where(n => n.IsOn && !gateways.Contains(n.Name)).Select(n => n.Name).ToList();
        Assert.NotEmpty(workers);
        var streams = borealis.Select(pod => PingStream.Start(Aurora.HostOf(aurora[0]), JoinedClusters.InMesh(pod))).ToList();
        try
        {
            await GoOnAsync("before");
            await joined.Mesh.MfctlAsync(Cancellation, "cluster", "set", "borealis", "--granularity", "node");
            await Until.TrueAsync(async () => (await LeavesAsync()).Select(l => l.Node).Order(StringComparer.Ordinal).SequenceEqual(workers.Order(StringComparer.Ordinal)), OneCluster.Limit, "each worker to be a leaf", Cancellation);
            await joined.Mesh.MfctlAsync(Cancellation, "status", "--wait", "--timeout", "90");
            var edge = Aurora.Nodes[0].Name;
            foreach (var pod in borealis.Where(p => workers.Contains(p.Spec.NodeName)))
            {
                var network = string.Join('.', JoinedClusters.InMesh(pod).ToString().Split('.')[..3]) + ".0/24";
                await Until.TrueAsync(async () => (await joined.Mesh.Lab.ExecAsync(edge, ["ip", "-4", "route", "show", "table", "7710", network], Cancellation)).Output.Contains("dev mf8", StringComparison.Ordinal),
                    OneCluster.Limit, $"{edge} to send what is for {network} to its own node", Cancellation);
            }

            await GoOnAsync("by leaves");
            foreach (var (near, far) in aurora.SelectMany(a => borealis.Select(b => (a, b))))
            {
                await FetchBothWaysAsync(near, far);
            }

            await joined.Mesh.MfctlAsync(Cancellation, "cluster", "set", "borealis", "--granularity", "gateway");
            await Until.TrueAsync(async () => (await Task.WhenAll(workers.Select(TunnelsAsync))).All(t => t.Length == 0), OneCluster.Limit, "the leaves to leave", Cancellation);
            await GoOnAsync("by gateways again");
            foreach (var stream in streams)
            {
                var report = await stream.StopAsync();
                Assert.True(report.Lost == 0, report.Told);
            }
        }
        finally
        {
            await Task.WhenAll(streams.Select(s => s.DisposeAsync().AsTask()));
        }

        // Others of this class count gateways.
        await Until.TrueAsync(async () => (await LeavesAsync()).Count == 0, OneCluster.Limit, "the control service to forget the leaves", Cancellation);

        async Task GoOnAsync(string when)
        {
            var answered = streams.ConvertAll(s => s.Answered);
            await Until.TrueAsync(() => streams.Zip(answered).All(s => s.First.Answered > s.Second + 100), OneCluster.Limit, $"answers {when}", Cancellation);
        }
    }

    async Task<IReadOnlyList<(string Node, string Name)>> LeavesAsync()
    {
        using var gateways = JsonDocument.Parse(await joined.Mesh.MfctlAsync(Cancellation, "gateway", "list", "--cluster", "borealis", "-o", "json"));
        return [.. gateways.RootElement.EnumerateArray().Select(g => g.GetProperty("spec")).Where(s => s.GetProperty("isLeaf").GetBoolean()).Select(s => (s.GetProperty("node").GetString()!, s.GetProperty("name").GetString()!))];
    }

    async Task<string> TunnelsAsync(string node) => (await joined.Mesh.Lab.ExecAsync(node, ["sh", "-c", "ls /sys/class/net | grep -x 'mf[0-9]' || true"], Cancellation)).Output.Trim();
}
