using System.Diagnostics;
using MeshFabric.Bench.Measuring;
using MeshFabric.Bench.Peers;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.TestKit;

namespace MeshFabric.Bench;

/// <summary>How long it takes an agent to repair what was changed behind its back.</summary>
sealed class DriftBenchmark : IBenchmark
{
    const string Peers = "printf 'get=1\\n\\n' | socat -t 1 - UNIX-CONNECT:/run/wireguard/mf0.sock";

    static readonly (string Name, string Harm, string Repaired)[] Harms =
    [
        ("flushed_table", "nft flush table inet meshfabric", "nft list chain inet meshfabric exempt | grep -q snat"),
        ("deleted_table", "nft delete table inet meshfabric", "nft list chain inet meshfabric exempt | grep -q snat"),
        ("deleted_routes", "ip route flush table 7710", "ip route show table 7710 | grep -q 10.20.0.0/16"),
        ("removed_peer", $"key=$({Peers} | sed -n 's/^public_key=//p' | head -1); printf 'set=1\\npublic_key=%s\\nremove=true\\n\\n' $key | socat -t 1 - UNIX-CONNECT:/run/wireguard/mf0.sock", $"{Peers} | grep -q ^public_key="),
        ("deleted_device", "ip link del mf0", "ip route show table 7710 | grep -q '10.20.0.0/16 dev mf0'"),
    ];

    public string Name => "drift";

    public string Description =>
        "On a gateway of a running mesh its nft table is flushed or deleted, its routes are flushed, a WireGuard peer is removed, or the whole device is deleted; the time from the end of that command until it is back (looked at every 20 to 50 ms), " +
        "and for the device also until the tunnel carries pings again (`..._to_traffic`).";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        await using var mesh = await MeshLab.CreateAsync(new LabSpec("bench-drift", TwoSites.Clusters), context.Programs, context.Say, cancellationToken);
        foreach (var cluster in TwoSites.Clusters)
        {
            await mesh.JoinAsync(cluster.Name, cancellationToken);
        }

        await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "60");
        var figures = new List<Figure>();
        var traffic = new List<double>();
        foreach (var (name, harm, repaired) in Harms)
        {
            figures.AddRange(await Rounds.RepairAsync(context, name, async () =>
            {
                await mesh.Lab.ShellAsync("a-gw1", harm, cancellationToken);
                var clock = Stopwatch.StartNew();
                await HoldsAsync(mesh.Lab, "a-gw1", repaired, cancellationToken);
                var seconds = clock.Elapsed.TotalSeconds;
                await HoldsAsync(mesh.Lab, TwoSites.From, $"ping -c 1 -W 1 {TwoSites.Target}", cancellationToken);
                if (name == "deleted_device")
                {
                    traffic.Add(clock.Elapsed.TotalSeconds);
                }

                return seconds;
            }));
        }

        figures.Add(new Figure("deleted_device_to_traffic_max_seconds", traffic.Max(), "<= 5"));
        return figures;
    }

    static Task HoldsAsync(Lab.Lab lab, string host, string condition, CancellationToken cancellationToken) =>
        Until.TrueAsync(async () => (await lab.ExecAsync(host, ["sh", "-c", condition], cancellationToken)).ExitCode == 0, TimeSpan.FromSeconds(60), condition, cancellationToken);
}
