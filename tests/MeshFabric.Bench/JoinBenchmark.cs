using System.Diagnostics;
using System.Net;
using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench;

/// <summary>How long a person waits from <c>mfctl cluster join</c> to the first answer between pods.</summary>
sealed class JoinBenchmark : IBenchmark
{
    public string Name => "join";

    public string Description =>
        "A third cluster of two gateways joins a running mesh of two (two gateways each) by `mfctl cluster join`, its prefix remapped, and leaves again, several times. `command` is the command itself: plan, create, enrol both gateways. " +
        "`first_reply_after_join` is from its return to the first answer to a pod of another cluster.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        ClusterSpec Cluster(string name, string cidr) => new(name, cidr) { PodsPerWorker = 1 };
        await using var mesh = await MeshLab.CreateAsync(
            new LabSpec("bench-join", [Cluster("aurora", "10.10.0.0/16"), Cluster("borealis", "10.20.0.0/16"), Cluster("cirrus", "10.20.0.0/16")]), context.Programs, context.Say, cancellationToken);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        await mesh.JoinAsync("aurora", cancellationToken);
        await mesh.JoinAsync("borealis", cancellationToken);
        await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "60");
        var (command, reply) = (new List<double>(), new List<double>());
        for (var round = 1; round <= context.Rounds; round++)
        {
            foreach (var gateway in mesh.Lab.Topology.Gateways)
            {
                await mesh.StartAgentAsync(gateway.Name, cancellationToken);
            }

            var clock = Stopwatch.StartNew();
            await mesh.JoinAsync("cirrus", cancellationToken);
            command.Add(clock.Elapsed.TotalSeconds);
            clock.Restart();
            var pod = mesh.Lab.Topology["aurora-w1-p1"];
            await Until.TrueAsync(async () => await PodClient.SeenAsAsync(pod, IPAddress.Parse("100.64.1.10"), TimeSpan.FromMilliseconds(500), cancellationToken) is not null, TimeSpan.FromSeconds(60), "the first reply", cancellationToken);
            reply.Add(clock.Elapsed.TotalSeconds);
            context.Say($"round {round} of {context.Rounds}: command {command[^1]:0.0} s, first reply {reply[^1]:0.00} s after it");
            await mesh.MfctlAsync(cancellationToken, "cluster", "remove", "cirrus", "--yes");
            await Until.TrueAsync(() => mesh.Agent("cirrus-gw1").Pid is null && mesh.Agent("cirrus-gw2").Pid is null, TimeSpan.FromSeconds(60), "the removed agents to end", cancellationToken);
        }

        return
        [
            new("first_reply_after_join_median_seconds", reply.Median(), "<= 5"),
            new("first_reply_after_join_max_seconds", reply.Max(), "<= 5"),
            new("command_median_seconds", command.Median()),
            new("command_and_first_reply_median_seconds", command.Zip(reply, (c, r) => c + r).Median()),
        ];
    }
}
