using System.Text.Json;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>A Kubernetes cluster whose nodes end tunnels themselves, one whose gateways do, and a site; the two clusters use the same pod CIDR.</summary>
[Collection(WholeMachine.Name)]
public sealed class LeafTests
{
    const int Flows = 40;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    static readonly LabSpec Spec = new(
        LabSpec.NameOfThisRun("leaf"),
        [
            new ClusterSpec("aurora", "10.10.0.0/16") { Cni = "flannel-host-gw", PodsPerWorker = 1 },
            new ClusterSpec("borealis", "10.10.0.0/16") { Cni = "bridge", PodsPerWorker = 1 },
            new ClusterSpec("site", "10.30.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
        ]);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pods_are_reached_at_their_own_nodes_and_by_the_gateways_where_a_node_does_not_end_tunnels()
    {
        await using var mesh = await NodeMesh.CreateAsync(Spec, JoinedMesh.Programs, _ => { }, Cancellation);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        var apis = new List<CniApi>();
        try
        {
            foreach (var cluster in new[] { "aurora", "borealis" })
            {
                var api = await CniApi.StartAsync(mesh.Lab, cluster, Cancellation);
                apis.Add(api);
                await api.StartProxiesAsync(knowsPodCidr: true, ProxyMode.Iptables, Cancellation);
                await mesh.JoinAsync(cluster, api, cluster == "aurora" ? 2 : 1, Cancellation);
            }

            await mesh.JoinSiteAsync("site", Cancellation);
            await mesh.ConnectedAsync(Cancellation);
            var (pod, far) = (mesh.Lab.Topology["aurora-n3-p1"], mesh.Lab.Topology["site-w1-p1"]);
            var address = await SeenByOthersAsync(mesh, pod, far);
            await using var streams = new Streams([.. Enumerable.Range(0, 4).SelectMany(_ => new[] { PingStream.Start(far, address, rate: 50), PingStream.Start(pod, far.Address!, rate: 50) })]);
            await streams.GoOnAsync("before");
            // By a gateway of its cluster: nothing of the mesh goes by the node's own tunnels.
            Assert.Empty(await TunnelsAsync(mesh, "aurora-n3"));

            await NothingIsLostAsync(async () =>
            {
                await mesh.MfctlAsync(Cancellation, "cluster", "set", "aurora", "--granularity", "node");
                await Until.TrueAsync(async () => (await LeavesAsync(mesh)).SequenceEqual(["node-n3"]), Limit, "node n3 to be a leaf", Cancellation);
                await mesh.ConnectedAsync(Cancellation);
                await DirectAsync(mesh, "aurora-n3", "site-gw1", direct: true);
            });
            foreach (var (from, to, dialled) in new[] { (pod, far, far.Address!), (far, pod, address), (mesh.Lab.Topology["borealis-n3-p1"], pod, await SeenByOthersAsync(mesh, pod, mesh.Lab.Topology["borealis-n3-p1"])) })
            {
                var expected = from == far ? far.Address! : await SeenByOthersAsync(mesh, from, to);
                var seen = await Task.WhenAll(Enumerable.Range(0, Flows).Select(_ => PodClient.SeenAsAsync(from, dialled, TimeSpan.FromSeconds(10), Cancellation)));
                Assert.All(seen, s => Assert.Equal(expected, s));
            }

            // Its agent and its tunnels end: the far side falls back to the gateways, and so does the node with what it sends.
            await mesh.SignalGatewayAsync("aurora-n3", "KILL", Cancellation);
            await DirectAsync(mesh, "aurora-n3", "site-gw1", direct: false);
            await streams.GoOnAsync("without the leaf");
            await mesh.StartAgentAsync("aurora-n3", apis[0], gateways: 2, Cancellation);
            await DirectAsync(mesh, "aurora-n3", "site-gw1", direct: true);
            await streams.GoOnAsync("as a leaf again");
            await mesh.ConnectedAsync(Cancellation);

            await NothingIsLostAsync(async () =>
            {
                await mesh.MfctlAsync(Cancellation, "cluster", "set", "aurora", "--granularity", "gateway");
                await Until.TrueAsync(async () => (await TunnelsAsync(mesh, "aurora-n3")).Length == 0, Limit, "the leaf to leave", Cancellation);
            });
            await Until.TrueAsync(async () => (await LeavesAsync(mesh)).Length == 0, TimeSpan.FromSeconds(90), "the control service to forget the leaf", Cancellation);
            await mesh.ConnectedAsync(Cancellation);

            async Task NothingIsLostAsync(Func<Task> change)
            {
                await using var planned = new Streams([PingStream.Start(far, address, rate: 100), PingStream.Start(pod, far.Address!, rate: 100)]);
                await planned.GoOnAsync("before a planned change");
                await change();
                await planned.GoOnAsync("after it");
                Assert.All(await planned.StopAsync(), r => Assert.True(r.Lost == 0, r.Told));
            }
        }
        finally
        {
            foreach (var api in apis)
            {
                await api.DisposeAsync();
            }

            KeptLogs.Of(mesh.Lab, JoinedMesh.Root(), "e2e");
        }
    }

    /// <summary>By tunnels of the node itself, both ways: counters of the far gateway's device of leaves, and of the node's own.</summary>
    static Task DirectAsync(NodeMesh mesh, string node, string farGateway, bool direct) => Until.TrueAsync(async () =>
    {
        var before = (await PacketsAsync(mesh, farGateway, "mf8"), await PacketsAsync(mesh, node, "mf0"));
        await Task.Delay(500, Cancellation);
        var after = (await PacketsAsync(mesh, farGateway, "mf8"), await PacketsAsync(mesh, node, "mf0"));
        // Eight flows of 50 packets a second; probes are ten at most.
        return direct ? after.Item1 - before.Item1 > 60 && after.Item2 - before.Item2 > 60 : after.Item1 - before.Item1 < 20;
    }, Limit, direct ? $"traffic by the tunnels of {node}" : $"no traffic by the tunnels of {node}", Cancellation);

    static async Task<long> PacketsAsync(NodeMesh mesh, string host, string device) =>
        long.TryParse(await mesh.Lab.ShellAsync(host, $"cat /sys/class/net/{device}/statistics/tx_packets 2>/dev/null || echo 0", Cancellation), out var packets) ? packets : 0;

    static async Task<string[]> TunnelsAsync(NodeMesh mesh, string node) =>
        (await mesh.Lab.ShellAsync(node, "ls /sys/class/net | grep -x 'mf[0-9]' || true", Cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    static async Task<string[]> LeavesAsync(NodeMesh mesh)
    {
        using var gateways = JsonDocument.Parse(await mesh.MfctlAsync(Cancellation, "gateway", "list", "--cluster", "aurora", "-o", "json"));
        return [.. gateways.RootElement.EnumerateArray().Select(g => g.GetProperty("spec")).Where(s => s.GetProperty("isLeaf").GetBoolean()).Select(s => s.GetProperty("name").GetString()!)];
    }

    /// <summary>As the cluster of <paramref name="by"/> addresses this pod.</summary>
    static async Task<System.Net.IPAddress> SeenByOthersAsync(NodeMesh mesh, LabHost pod, LabHost by)
    {
        using var cluster = JsonDocument.Parse(await mesh.MfctlAsync(Cancellation, "cluster", "get", pod.Cluster, "-o", "json"));
        var prefix = cluster.RootElement.GetProperty("status").GetProperty("prefixes")[0];
        var local = Net.Cidr.Parse(prefix.GetProperty("local").GetString()!);
        var seen = by.Cluster == "site" ? prefix.GetProperty("mesh") : prefix.TryGetProperty("alias", out var alias) && alias.ValueKind == JsonValueKind.String ? alias : prefix.GetProperty("mesh");
        return local.Translate(pod.Address!, Net.Cidr.Parse(seen.GetString()!));
    }

    sealed class Streams(IReadOnlyList<PingStream> streams) : IAsyncDisposable
    {
        public async Task GoOnAsync(string when)
        {
            var answered = streams.Select(s => s.Answered).ToList();
            await Until.TrueAsync(() => streams.Zip(answered).All(s => s.First.Answered > s.Second + 50), Limit, $"answers {when}", Cancellation);
        }

        public Task<PingReport[]> StopAsync() => Task.WhenAll(streams.Select(s => s.StopAsync()));

        public async ValueTask DisposeAsync()
        {
            foreach (var stream in streams)
            {
                await stream.DisposeAsync();
            }
        }
    }
}
