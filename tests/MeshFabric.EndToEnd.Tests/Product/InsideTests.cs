using System.Text.Json;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>A gateway whose tunnels are well, and that hands nothing on to what is behind it.</summary>
[Collection(WholeMachine.Name)]
public sealed class InsideTests
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // Somebody's firewall, which is none of our business to mend.
    const string Harm = "nft 'table inet careless { chain forward { type filter hook forward priority -200; iifname \"mf*\" drop; }; }'";
    const string Undo = "nft delete table inet careless";

    static readonly LabSpec Spec = new(
        LabSpec.NameOfThisRun("insid"),
        [
            new ClusterSpec("far", "10.20.0.0/16") { Cni = "flannel-vxlan", PodsPerWorker = 1 },
            new ClusterSpec("near", "10.10.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
        ]);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_gateway_that_does_not_reach_its_workers_is_left_as_fast_as_a_dead_one_and_taken_again()
    {
        await using var mesh = await NodeMesh.CreateAsync(Spec, JoinedMesh.Programs, _ => { }, Cancellation);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        var api = await CniApi.StartAsync(mesh.Lab, "far", Cancellation);
        try
        {
            await api.StartProxiesAsync(knowsPodCidr: true, ProxyMode.Iptables, Cancellation);
            await mesh.JoinAsync("far", api, 2, Cancellation);
            await mesh.JoinSiteAsync("near", Cancellation);
            await mesh.ConnectedAsync(Cancellation);
            var (near, worker) = (mesh.Lab.Topology["near-w1-p1"], mesh.Lab.Topology["far-n3-p1"]);
            await Until.TrueAsync(async () => near.Address!.Equals(await PodClient.SeenAsAsync(near, worker.Address!, TimeSpan.FromSeconds(2), Cancellation)), Limit, "near to reach the worker as itself", Cancellation);
            // A node that has just become a gateway is a beacon for as long as the inventory says so, and answers for itself whatever it hands on.
            var beacon = (await mesh.Lab.ShellAsync("far-n3", "ip -4 -o address show dev flannel.1 | awk '{print $4}' | cut -d/ -f1", Cancellation)).Trim();
            await Until.TrueAsync(async () => (await BeaconsAsync(mesh)).SequenceEqual([beacon]), Limit, $"{beacon} of the worker to be the only beacon", Cancellation);
            await Until.TrueAsync(async () => await InsideAsync(mesh, "far-n1") is true && await InsideAsync(mesh, "far-n2") is true, Limit, "the worker to answer through both gateways", Cancellation);

            foreach (var node in new[] { "far-n1", "far-n2" })
            {
                await using var flows = PingFlows.Start(near, worker.Address!, count: 16, rate: 50);
                await flows.GoOnAsync(Limit, "before", Cancellation, answers: 50);
                await mesh.Lab.ShellAsync(node, Harm, Cancellation);
                try
                {
                    await Until.TrueAsync(async () => await InsideAsync(mesh, node) is false, Limit, $"{node} to be known as blind", Cancellation);
                    await flows.GoOnAsync(Limit, "by the other one", Cancellation);
                }
                finally
                {
                    await mesh.Lab.ShellAsync(node, Undo, Cancellation);
                }

                await Until.TrueAsync(async () => await InsideAsync(mesh, node) is true, Limit, $"{node} to be taken again", Cancellation);
                var reports = await flows.StopAsync();
                TestContext.Current.SendDiagnosticMessage($"{node}: longest gap {reports.Max(r => r.LongestGap).TotalSeconds:0.000} s, {reports.Sum(r => r.Lost)} of {reports.Sum(r => r.Sent)} lost");
                Assert.All(reports, r => Assert.True(r.LongestGap < TimeSpan.FromSeconds(5), r.Told));
                // The harm was on somebody's way: otherwise nothing was shown.
                Assert.True(reports.Sum(r => r.Lost) > 0, "no flow went by what was harmed");
            }

            // The worker is away: both gateways lose it, and neither is to blame.
            await mesh.Lab.ShellAsync("far-n3", "nft 'table inet away { chain input { type filter hook input priority 0; icmp type echo-request drop; }; }'", Cancellation);
            await Until.TrueAsync(async () => await InsideAsync(mesh, "far-n1") is null && await InsideAsync(mesh, "far-n2") is null, Limit, "nobody to be asked through either", Cancellation);
            Assert.Equal(near.Address, await PodClient.SeenAsAsync(near, worker.Address!, TimeSpan.FromSeconds(10), Cancellation));
        }
        finally
        {
            await api.DisposeAsync();
            KeptLogs.Of(mesh.Lab, JoinedMesh.Root(), "e2e");
        }
    }

    static async Task<IReadOnlyList<string>> BeaconsAsync(NodeMesh mesh)
    {
        using var cluster = JsonDocument.Parse(await mesh.MfctlAsync(Cancellation, "cluster", "get", "far", "-o", "json"));
        return [.. cluster.RootElement.GetProperty("spec").GetProperty("beacons").EnumerateArray().Select(b => b.GetString()!)];
    }

    /// <summary>Whether near's gateway finds that the gateway on that node reaches what is behind it.</summary>
    static async Task<bool?> InsideAsync(NodeMesh mesh, string node)
    {
        using var metrics = JsonDocument.Parse(await mesh.MfctlAsync(Cancellation, "tunnel", "list", "--cluster", "near", "-o", "json"));
        using var gateways = JsonDocument.Parse(await mesh.MfctlAsync(Cancellation, "gateway", "list", "-o", "json"));
        var address = mesh.Lab.Topology[node].Address!.ToString();
        var gateway = gateways.RootElement.EnumerateArray().Single(g => g.GetProperty("spec").GetProperty("endpoints").EnumerateArray().Any(e => e.GetString()!.StartsWith(address + ":", StringComparison.Ordinal)));
        var name = gateway.GetProperty("spec").GetProperty("name").GetString();
        var tunnel = metrics.RootElement.EnumerateArray().Single(t => t.GetProperty("metadata").GetProperty("name").GetString()!.StartsWith($"far.{name}--", StringComparison.Ordinal));
        var side = tunnel.GetProperty("status").GetProperty("b");
        return side.ValueKind == JsonValueKind.Object && side.TryGetProperty("reachesInside", out var inside) && inside.ValueKind != JsonValueKind.Null ? inside.GetBoolean() : null;
    }
}
