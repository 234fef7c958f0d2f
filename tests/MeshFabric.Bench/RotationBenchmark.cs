using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench;

/// <summary>What is lost while every key is changed and every agent starts again.</summary>
sealed class RotationBenchmark : IBenchmark
{
    const int FlowPairs = 4;

    // WireGuard renews a session after 120 s (REKEY_AFTER_TIME).
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(180);

    public string Name => "rotation";

    public string Description =>
        "Two clusters with two gateways each; eight UDP flows, 100 packets a second each, between pods. In each round mfctl tunnel rotate-key --all changes all keys: those of the devices, one gateway of a cluster after the other, and the pre-shared ones, until the last handshake of every tunnel had the new one on both sides; then every agent is ended and started again, one after the other. The clusters are sites: a drained gateway goes on carrying what the hosts behind it send by it.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        LabSpec spec = new("bench-rot", [new ClusterSpec("a", "10.10.0.0/16"), new ClusterSpec("b", "10.20.0.0/16")]);
        await using var mesh = await MeshLab.CreateAsync(spec, context.Programs, context.Say, cancellationToken);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        foreach (var cluster in spec.Clusters)
        {
            await mesh.JoinAsync(cluster.Name, cancellationToken);
        }

        await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "90");
        var (sent, byKeys, byRestarts, told, inForce) = (0, 0, 0, new List<double>(), new List<double>());
        for (var round = 0; round < context.Rounds; round++)
        {
            await using var flows = PingFlows.BothWays(mesh.Lab.Topology["a-w1-p1"], mesh.Lab.Topology["b-w1-p1"], FlowPairs);
            await flows.GoOnAsync(Limit, "before", cancellationToken);
            var clock = Stopwatch.StartNew();
            var epoch = await RotateAsync(mesh, cancellationToken);
            told.Add(clock.Elapsed.TotalSeconds);
            await Until.TrueAsync(async () => await EpochsAsync(mesh, cancellationToken) is { Count: 8 } epochs && epochs.TrueForAll(e => e == epoch), Limit, $"handshakes with the keys of epoch {epoch} on both sides of all tunnels", cancellationToken);
            inForce.Add(clock.Elapsed.TotalSeconds);
            var keyed = flows.Elapsed;
            foreach (var gateway in mesh.Lab.Topology.Gateways)
            {
                await mesh.Agent(gateway.Name).StopAsync("TERM", cancellationToken);
                await mesh.StartAgentAsync(gateway.Name, cancellationToken);
                await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "90");
            }

            await flows.GoOnAsync(Limit, "after", cancellationToken);
            var reports = await flows.StopAsync();
            var early = reports.SelectMany(r => r.Losses).Where(l => l.SentAt < keyed).Sum(l => l.Count);
            (sent, byKeys, byRestarts) = (sent + reports.Sum(r => r.Sent), byKeys + early, byRestarts + reports.Sum(r => r.Lost) - early);
            context.Say(string.Create(CultureInfo.InvariantCulture, $"epoch {epoch}: told after {told[^1]:0.0} s, in force after {inForce[^1]:0} s; of {reports.Sum(r => r.Sent)} lost {early} while keys changed, {reports.Sum(r => r.Lost) - early} after {keyed.TotalSeconds:0.0} s, while agents started again"));
            foreach (var (report, flow) in reports.Select((r, i) => (r, i)).Where(r => r.r.Lost > 0))
            {
                context.Say($"flow {flow}: {report.Told}");
            }
        }

        return
        [
            new("packets_lost", byKeys + byRestarts, "<= 0"),
            new("packets_lost_by_keys", byKeys),
            new("packets_lost_by_restarts", byRestarts),
            new("packets_sent", sent),
            new("rotation_told_median_seconds", told.Median()),
            new("rotation_in_force_max_seconds", inForce.Max()),
        ];
    }

    static async Task<int> RotateAsync(MeshLab mesh, CancellationToken cancellationToken)
    {
        using var keys = JsonDocument.Parse(await mesh.MfctlAsync(cancellationToken, "tunnel", "rotate-key", "--all", "-o", "json"));
        return keys.RootElement.GetProperty("epoch").GetInt32();
    }

    /// <summary>Of the last handshake, on each side of each tunnel.</summary>
    static async Task<List<int>> EpochsAsync(MeshLab mesh, CancellationToken cancellationToken)
    {
        using var tunnels = JsonDocument.Parse(await mesh.MfctlAsync(cancellationToken, "tunnel", "list", "-o", "json"));
        return tunnels.RootElement.EnumerateArray().Select(t => t.GetProperty("status"))
            .SelectMany(s => new[] { "a", "b" }.Where(side => s.TryGetProperty(side, out var seen) && seen.ValueKind == JsonValueKind.Object).Select(side => s.GetProperty(side)))
            .Select(seen => seen.TryGetProperty("keyEpoch", out var epoch) ? epoch.GetInt32() : 0)
            .ToList();
    }
}
