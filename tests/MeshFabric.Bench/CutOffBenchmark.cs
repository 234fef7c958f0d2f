using System.Diagnostics;
using System.Globalization;
using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench;

/// <summary>How soon a cluster that is removed reaches nobody, although it does nothing about it.</summary>
sealed class CutOffBenchmark : IBenchmark
{
    const string Revoked = "c";
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // No answer for so long on any flow is the end of it: there were a hundred a second on each.
    static readonly TimeSpan Silence = TimeSpan.FromSeconds(3);

    public string Name => "cutoff";

    public string Description =>
        "Two clusters with two gateways each, and a third one with one gateway that is removed with mfctl cluster remove while its agent stands still (SIGSTOP) and its tunnels go on: a cluster that was taken over would do no more. Four UDP flows, 100 packets a second each, from its pod and to it, with pods of both others. " +
        "Measured is the time from the start of the command to the last answer on any of the flows; then its host is set up anew and joins again. packets_through counts answers in the three seconds after that.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        LabSpec spec = new("bench-cut", [new ClusterSpec("a", "10.10.0.0/16"), new ClusterSpec("b", "10.20.0.0/16"), new ClusterSpec(Revoked, "10.30.0.0/16") { Gateways = 1 }]);
        await using var mesh = await MeshLab.CreateAsync(spec, context.Programs, context.Say, cancellationToken);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        foreach (var cluster in spec.Clusters)
        {
            await mesh.JoinAsync(cluster.Name, cancellationToken);
        }

        var (times, through) = (new List<double>(), 0);
        for (var round = 0; round < context.Rounds; round++)
        {
            await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "90");
            var (seconds, late) = await RoundAsync(mesh, cancellationToken);
            times.Add(seconds);
            through += late;
            context.Say(string.Create(CultureInfo.InvariantCulture, $"round {round + 1} of {context.Rounds}: {seconds:0.00} s"));
            await RejoinAsync(mesh, cancellationToken);
        }

        return [new("cutoff_median_seconds", times.Median()), new("cutoff_p99_seconds", times.Quantile(0.99), "<= 2"), new("packets_through", through, "<= 0")];
    }

    static async Task<(double Seconds, int Late)> RoundAsync(MeshLab mesh, CancellationToken cancellationToken)
    {
        var pod = mesh.Lab.Topology[$"{Revoked}-w1-p1"];
        var others = new[] { mesh.Lab.Topology["a-w1-p1"], mesh.Lab.Topology["b-w1-p1"] };
        List<PingStream> streams = [.. others.Select(o => PingStream.Start(pod, o.Address!)), .. others.Select(o => PingStream.Start(o, pod.Address!))];
        try
        {
            await Until.TrueAsync(() => streams.TrueForAll(s => s.Answered > 100), Limit, "answers on all flows", cancellationToken);
            await mesh.Lab.ShellAsync($"{Revoked}-gw1", $"kill -STOP {mesh.Agent($"{Revoked}-gw1").Pid}", cancellationToken);
            var clock = Stopwatch.StartNew();
            var removing = mesh.MfctlAsync(cancellationToken, "cluster", "remove", Revoked, "--yes");
            var (last, answered) = (TimeSpan.Zero, Answered(streams));
            while (clock.Elapsed - last < Silence)
            {
                await Task.Delay(5, cancellationToken);
                if (Answered(streams) is var now && now != answered)
                {
                    (last, answered) = (clock.Elapsed, now);
                }

                if (clock.Elapsed > Limit)
                {
                    throw new TimeoutException($"{Revoked} still reaches others {Limit.TotalSeconds:0} s after it was removed");
                }
            }

            await removing;
            await Task.Delay(Silence, cancellationToken);
            return (last.TotalSeconds, Answered(streams) - answered);
        }
        finally
        {
            await Task.WhenAll(streams.Select(s => s.DisposeAsync().AsTask()));
        }
    }

    static int Answered(List<PingStream> streams) => streams.Sum(s => s.Answered);

    static async Task RejoinAsync(MeshLab mesh, CancellationToken cancellationToken)
    {
        await mesh.SignalGatewayAsync($"{Revoked}-gw1", "KILL", cancellationToken);
        await mesh.Lab.ShellAsync($"{Revoked}-gw1", "set +e; nft delete table inet meshfabric; ip route flush table 7710; rm -rf /var/lib/meshfabric/*; true", cancellationToken);
        await mesh.StartAgentAsync($"{Revoked}-gw1", cancellationToken);
        await mesh.JoinAsync(Revoked, cancellationToken);
    }
}
