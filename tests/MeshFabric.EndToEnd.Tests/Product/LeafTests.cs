using System.Diagnostics;
using System.Net;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.Net;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>A Kubernetes cluster whose nodes end tunnels themselves, one whose gateways do, and a site; the two clusters use the same pod CIDR.</summary>
[Collection(WholeMachine.Name)]
public sealed class LeafTests
{
    const int Flows = 40;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // At least, for a rate.
    static readonly TimeSpan Counted = TimeSpan.FromMilliseconds(500);

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
            // Joined first, so the site knows it by its own addresses.
            var address = pod.Address!;
            await using var flows = PingFlows.BothWays(far, pod, pairs: 4, rate: 50);
            await flows.GoOnAsync(Limit, "before", Cancellation, answers: 50);
            // By a gateway of its cluster: nothing of the mesh goes by the node's own tunnels.
            Assert.Empty(await mesh.TunnelDevicesAsync("aurora-n3", Cancellation));

            await NothingIsLostAsync(async () =>
            {
                await mesh.MfctlAsync(Cancellation, "cluster", "set", "aurora", "--granularity", "node");
                await Until.TrueAsync(async () => (await mesh.LeavesAsync("aurora", Cancellation)).SequenceEqual([pod.ShortName.Split('-')[0]]), Limit, "node n3 to be a leaf", Cancellation);
                await mesh.ConnectedAsync(Cancellation);
                await DirectAsync(mesh, "aurora-n3", "site-gw1", direct: true);
            });
            var other = mesh.Lab.Topology["borealis-n3-p1"];
            foreach (var (from, dialled, expected) in new[] { (pod, far.Address!, address), (far, address, far.Address!), (other, await InMeshAsync(mesh, pod), await InMeshAsync(mesh, other)) })
            {
                var seen = await Task.WhenAll(Enumerable.Range(0, Flows).Select(_ => PodClient.SeenAsAsync(from, dialled, TimeSpan.FromSeconds(10), Cancellation)));
                Assert.All(seen, s => Assert.Equal(expected, s));
            }

            // Its agent and its tunnels end: the far side falls back to the gateways, and so does the node with what it sends.
            await mesh.SignalGatewayAsync("aurora-n3", "KILL", Cancellation);
            await DirectAsync(mesh, "aurora-n3", "site-gw1", direct: false);
            await flows.GoOnAsync(Limit, "without the leaf", Cancellation, answers: 50);
            await mesh.StartAgentAsync("aurora-n3", apis[0], gateways: 2, Cancellation);
            await DirectAsync(mesh, "aurora-n3", "site-gw1", direct: true);
            await flows.GoOnAsync(Limit, "as a leaf again", Cancellation, answers: 50);
            await mesh.ConnectedAsync(Cancellation);

            // What goes by tunnels of its own needs no gateway of its cluster, not even one.
            await NothingIsLostAsync(async () =>
            {
                foreach (var gateway in new[] { "aurora-n1", "aurora-n2" })
                {
                    await mesh.SignalGatewayAsync(gateway, "KILL", Cancellation);
                }

                await flows.GoOnAsync(Limit, "without any gateway of its cluster", Cancellation, answers: 200);
            });
            foreach (var gateway in new[] { "aurora-n1", "aurora-n2" })
            {
                await mesh.StartAgentAsync(gateway, apis[0], gateways: 2, Cancellation);
            }

            await mesh.ConnectedAsync(Cancellation);
            await DirectAsync(mesh, "aurora-n3", "site-gw1", direct: true);

            await NothingIsLostAsync(async () =>
            {
                await mesh.MfctlAsync(Cancellation, "cluster", "set", "aurora", "--granularity", "gateway");
                await Until.TrueAsync(async () => (await mesh.TunnelDevicesAsync("aurora-n3", Cancellation)).Count == 0, Limit, "the leaf to leave", Cancellation);
            });
            await Until.TrueAsync(async () => (await mesh.LeavesAsync("aurora", Cancellation)).Count == 0, TimeSpan.FromSeconds(90), "the control service to forget the leaf", Cancellation);
            await mesh.ConnectedAsync(Cancellation);

            async Task NothingIsLostAsync(Func<Task> change)
            {
                await using var planned = PingFlows.BothWays(far, pod, pairs: 1);
                await planned.GoOnAsync(Limit, "before a planned change", Cancellation, answers: 50);
                await change();
                await planned.GoOnAsync(Limit, "after it", Cancellation, answers: 50);
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
    static async Task DirectAsync(NodeMesh mesh, string node, string farGateway, bool direct)
    {
        var (clock, last) = (Stopwatch.StartNew(), (There: await PacketsAsync(mesh, farGateway, "mf8"), Back: await PacketsAsync(mesh, node, "mf0")));
        await Until.TrueAsync(async () =>
        {
            if (clock.Elapsed < Counted)
            {
                return false;
            }

            var now = (There: await PacketsAsync(mesh, farGateway, "mf8"), Back: await PacketsAsync(mesh, node, "mf0"));
            var (there, back) = ((now.There - last.There) / clock.Elapsed.TotalSeconds, (now.Back - last.Back) / clock.Elapsed.TotalSeconds);
            (last, clock) = (now, Stopwatch.StartNew());
            // Eight flows of 50 packets a second; probes are ten at most.
            return direct ? there > 120 && back > 120 : there < 40;
        }, Limit, direct ? $"traffic by the tunnels of {node}" : $"no traffic by the tunnels of {node}", Cancellation);
    }

    static async Task<long> PacketsAsync(NodeMesh mesh, string host, string device) =>
        long.TryParse(await mesh.Lab.ShellAsync(host, $"cat /sys/class/net/{device}/statistics/tx_packets 2>/dev/null || echo 0", Cancellation), out var packets) ? packets : 0;

    /// <summary>As the other of the two clusters, which uses the same addresses inside, knows this pod.</summary>
    static async Task<IPAddress> InMeshAsync(NodeMesh mesh, LabHost pod) => Cidr.Parse(mesh.Lab.Topology.Cluster(pod.Cluster).Spec.PodCidr!).Translate(pod.Address!, await mesh.AliasAsync(pod.Cluster, Cancellation));
}
