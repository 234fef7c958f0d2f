using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;

namespace MeshFabric.Bench;

/// <summary>How soon gateways behind NAT boxes reach each other.</summary>
sealed class NatBenchmark : IBenchmark
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    static readonly (string Kind, NatSpec Nat)[] Kinds =
    [
        ("full", new NatSpec(NatKind.FullCone)), ("restricted", new NatSpec(NatKind.Restricted)), ("port", new NatSpec()), ("symmetric", new NatSpec(NatKind.Symmetric)), ("double", new NatSpec { IsDouble = true }),
    ];

    public string Name => "nat";

    public string Description =>
        "Two gateways of each kind of NAT (full cone, restricted, port-restricted, symmetric, two boxes one behind the other) and two that can be dialled, all in one mesh. For every pair of kinds, both agents are stopped, their devices deleted and their NAT boxes' memory flushed; " +
        "measured is the time from the start of both agents to a tunnel between the two that answers probes, directly or by a relay.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        LabSpec spec = new("bench-nat",
        [
            new ClusterSpec("none1", "10.101.0.0/16") { Gateways = 1, Workers = 0 },
            new ClusterSpec("none2", "10.102.0.0/16") { Gateways = 1, Workers = 0 },
            .. Kinds.SelectMany(k => new[] { 1, 2 }, (k, n) => new ClusterSpec($"{k.Kind}{n}", null) { Gateways = 1, Workers = 0, Kind = "machine", Nat = k.Nat }),
        ]);
        await using var mesh = await MeshLab.CreateAsync(spec, context.Programs, context.Say, cancellationToken);
        foreach (var cluster in spec.Clusters)
        {
            await mesh.JoinAsync(cluster.Name, cancellationToken);
        }

        await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "120");
        var names = Kinds.Select(k => k.Kind).Prepend("none").ToList();
        var pairs = names.SelectMany((one, i) => names.Skip(Math.Max(i, 1)).Select(other => ($"{one}1", $"{other}2"))).ToList();
        var (times, failed, direct) = (new List<double>(), 0, 0);
        for (var round = 0; round < Math.Max(1, context.Rounds / 3); round++)
        {
            foreach (var (one, other) in pairs)
            {
                var found = await ConnectAsync(mesh, one, other, cancellationToken);
                context.Say(found is { } f ? string.Create(CultureInfo.InvariantCulture, $"{one} and {other}: {f.Seconds:0.0} s, {f.Path}") : $"{one} and {other}: not in {Limit.TotalSeconds:0} s");
                failed += found is null ? 1 : 0;
                direct += found?.Path == "direct" ? 1 : 0;
                times.Add(found?.Seconds ?? Limit.TotalSeconds);
            }
        }

        return
        [
            new("connected_ratio", (double)(times.Count - failed) / times.Count, ">= 1"),
            new("connect_p99_seconds", times.Quantile(0.99), "<= 10"),
            new("connect_median_seconds", times.Median()),
            new("direct_at_once_ratio", (double)direct / times.Count),
        ];
    }

    static async Task<(double Seconds, string Path)?> ConnectAsync(MeshLab mesh, string one, string other, CancellationToken cancellationToken)
    {
        foreach (var cluster in new[] { one, other })
        {
            await mesh.Agent($"{cluster}-gw1").StopAsync("KILL", cancellationToken);
            await mesh.Lab.ShellAsync($"{cluster}-gw1", "ip link del mf0", cancellationToken);
            foreach (var box in mesh.Lab.Topology.Hosts.Where(h => h.Cluster == cluster && h.Role == Lab.Topology.HostRole.Nat))
            {
                await mesh.Lab.ShellAsync(box.Name, "conntrack -F", cancellationToken);
            }
        }

        var started = Stopwatch.StartNew();
        await Task.WhenAll(mesh.StartAgentAsync($"{one}-gw1", cancellationToken), mesh.StartAgentAsync($"{other}-gw1", cancellationToken));
        while (started.Elapsed < Limit)
        {
            if (await PathAsync(mesh, one, other, cancellationToken) is { } path && await PathAsync(mesh, other, one, cancellationToken) is not null)
            {
                return (started.Elapsed.TotalSeconds, path);
            }

            await Task.Delay(Look, cancellationToken);
        }

        return null;
    }

    /// <summary>As the gateway of <paramref name="from"/> sees it; null while it does not reach the other one.</summary>
    static async Task<string?> PathAsync(MeshLab mesh, string from, string to, CancellationToken cancellationToken)
    {
        var answer = await mesh.Lab.ExecAsync($"{from}-gw1", ["curl", "-sf", "--max-time", "2", "--unix-socket", "/var/lib/meshfabric/agent.sock", "http://agent/status"], cancellationToken);
        if (answer.ExitCode != 0)
        {
            return null;
        }

        using var status = JsonDocument.Parse(answer.Output);
        var tunnel = status.RootElement.GetProperty("tunnels").EnumerateArray().FirstOrDefault(t => t.GetProperty("peerCluster").GetString() == to);
        return tunnel.ValueKind == JsonValueKind.Object && tunnel.GetProperty("state").GetString() == "connected"
            ? tunnel.TryGetProperty("relay", out var relay) && relay.GetString() is { } by ? $"by {by}" : "direct"
            : null;
    }
}
