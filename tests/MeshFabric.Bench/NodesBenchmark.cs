using System.Diagnostics;
using System.Globalization;
using System.Net;
using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench;

/// <summary>What the way over the nodes' overlay costs, and how long a node takes to begin and to heal.</summary>
sealed class NodesBenchmark : IBenchmark
{
    const int Seconds = 2;
    const string Plugin = "flannel-host-gw";
    const string Pods = "10.10.0.0/16";
    static readonly TimeSpan Once = TimeSpan.FromMilliseconds(500);

    const string Saved = "/dev/shm/mfbench-rules";
    const string Save = $"iptables-nft-save >{Saved}";
    const string Restore = $"iptables-nft-restore <{Saved}; rm {Saved}";

    // As when the plug-in and kube-proxy restart, when an administrator flushes, and when Docker is installed.
    static readonly (string Name, string Harm, string Undo)[] Harms =
    [
        ("rules_rewritten", $"{Save}; iptables-nft -t nat -F; iptables-nft -F; grep -v MESHFABRIC {Saved} | iptables-nft-restore", $"rm {Saved}"),
        ("iptables_flushed", $"{Save}; iptables-nft -P FORWARD DROP; iptables-nft -t nat -F; iptables-nft -F", Restore),
        ("forward_drops", $"{Save}; iptables-nft -P FORWARD DROP; iptables-nft -F FORWARD", Restore),
        ("own_table_deleted", "nft delete table inet meshfabric-node", "true"),
    ];

    public string Name => "nodes";

    public string Description =>
        "Two clusters with the state of flannel (host-gw), three nodes each, of which one is the gateway. TCP, one stream, from a pod on a worker to a pod on a worker, and from a pod on a gateway to a pod on a gateway, in turns, there and back again; " +
        "the ratio is the median of the rounds' ratios. Then on a worker: all rules but ours are written again, iptables is flushed with a policy of DROP, FORWARD drops and has no rule, our own table is deleted; the time until a new flow of its pod reaches a pod of the other cluster and is seen with its own address. " +
        "Last, a node without an agent gets one: the time from the start of the program until its routes to the mesh are there.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        LabSpec spec = new("bench-nodes", [new ClusterSpec("a", Pods) { Cni = Plugin }, new ClusterSpec("b", "10.20.0.0/16") { Cni = Plugin }]);
        await using var mesh = await NodeMesh.CreateAsync(spec, context.Programs, context.Say, cancellationToken);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        await using var a = await NodeClusters.JoinAsync(mesh, "a", gateways: 1, context, cancellationToken);
        await using var b = await NodeClusters.JoinAsync(mesh, "b", gateways: 1, context, cancellationToken);
        await mesh.ConnectedAsync(cancellationToken);
        return
        [
            .. await ThroughputAsync(mesh.Lab, context, cancellationToken),
            .. await HealingAsync(mesh.Lab, context, cancellationToken),
            .. await BeginningAsync(mesh, a, context, cancellationToken),
        ];
    }

    static async Task<IReadOnlyList<Figure>> ThroughputAsync(Lab.Lab lab, BenchmarkContext context, CancellationToken cancellationToken)
    {
        // The first node is the gateway: its name is the first.
        (string From, LabHost To)[] paths = [("a-n1-p1", lab.Topology["b-n1-p1"]), ("a-n3-p1", lab.Topology["b-n3-p1"])];
        var (gateways, workers) = (new List<double>(), new List<double>());
        foreach (var (from, to) in paths)
        {
            await Traffic.ServeAsync(lab, to.Name, cancellationToken);
            await Traffic.ReachesAsync(lab, from, $"{to.Address}", $"{from} to {to.Name}", cancellationToken);
        }

        for (var round = 1; round <= context.Rounds; round++)
        {
            var means = await Rounds.ThereAndBackAsync(round, paths, p => Traffic.TcpAsync(lab, p.From, $"{p.To.Address}", Seconds, 1, cancellationToken));
            gateways.Add(means[0]);
            workers.Add(means[1]);
            context.Say(string.Create(CultureInfo.InvariantCulture, $"round {round} of {context.Rounds}: between gateways {gateways[^1]:0} Mbit/s, between workers {workers[^1]:0}"));
        }

        return
        [
            new("workers_over_gateways_ratio", workers.Zip(gateways, (w, g) => w / g).Median(), ">= 0.9"),
            new("gateways_tcp_median_mbps", gateways.Median()),
            new("workers_tcp_median_mbps", workers.Median()),
        ];
    }

    static async Task<IReadOnlyList<Figure>> HealingAsync(Lab.Lab lab, BenchmarkContext context, CancellationToken cancellationToken)
    {
        var (pod, far) = (lab.Topology["a-n3-p1"], lab.Topology["b-n3-p1"].Address!);
        var figures = new List<Figure>();
        foreach (var (name, harm, undo) in Harms)
        {
            figures.AddRange(await Rounds.RepairAsync(context, name, async () =>
            {
                await lab.ShellAsync("a-n3", harm, cancellationToken);
                var clock = Stopwatch.StartNew();
                await SeenAsItselfAsync(pod, far, $"after {name}", cancellationToken);
                var seconds = clock.Elapsed.TotalSeconds;
                await lab.ShellAsync("a-n3", undo, cancellationToken);
                return seconds;
            }));
        }

        return figures;
    }

    static async Task<IReadOnlyList<Figure>> BeginningAsync(NodeMesh mesh, CniApi api, BenchmarkContext context, CancellationToken cancellationToken)
    {
        var (pod, far) = (mesh.Lab.Topology["a-n3-p1"], mesh.Lab.Topology["b-n3-p1"].Address!);
        var (routed, reached) = (new List<double>(), new List<double>());
        for (var round = 0; round < context.Rounds; round++)
        {
            await mesh.LeaveNodeAsync("a-n3", "a", api, cancellationToken);
            var clock = Stopwatch.StartNew();
            await mesh.StartAgentAsync("a-n3", api, gateways: 1, cancellationToken);
            await Until.TrueAsync(async () => (await mesh.Lab.ExecAsync("a-n3", ["sh", "-c", "ip route show table 7712 | grep -q 10.20.0.0/16"], cancellationToken)).ExitCode == 0, TimeSpan.FromSeconds(60), "routes to the mesh", cancellationToken);
            routed.Add(clock.Elapsed.TotalSeconds);
            await SeenAsItselfAsync(pod, far, "of a node that begins", cancellationToken);
            reached.Add(clock.Elapsed.TotalSeconds);
        }

        context.Say(string.Create(CultureInfo.InvariantCulture, $"a node that begins: routes after {routed.Median():0.00} s, answers after {reached.Median():0.00} s"));
        return
        [
            new("node_added_to_routes_median_seconds", routed.Median()),
            new("node_added_to_routes_max_seconds", routed.Max(), "<= 5"),
            new("node_added_to_answer_median_seconds", reached.Median()),
        ];
    }

    static Task SeenAsItselfAsync(LabHost pod, IPAddress far, string when, CancellationToken cancellationToken) =>
        Until.TrueAsync(async () => pod.Address!.Equals(await PodClient.SeenAsAsync(pod, far, Once, cancellationToken)), TimeSpan.FromSeconds(60), $"a flow that is seen as {pod.Address} {when}", cancellationToken);
}
