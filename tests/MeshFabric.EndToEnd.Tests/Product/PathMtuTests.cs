using System.Text.Json;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>Two sites on an internet of jumbo frames, which then throws away what is too large without telling anybody.</summary>
[Collection(WholeMachine.Name)]
public sealed class PathMtuTests
{
    const int Bytes = 1 << 20;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // As promised: whatever happens to the path, after that time everything is as it should be.
    static readonly TimeSpan Promise = TimeSpan.FromSeconds(30);

    static readonly LabSpec Spec = new(
        "mtu", [new ClusterSpec("a", "10.1.0.0/16") { Gateways = 1, PodsPerWorker = 1 }, new ClusterSpec("b", "10.2.0.0/16") { Gateways = 1, PodsPerWorker = 1 }])
    { UnderlayMtu = 9000 };

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_passes_is_found_whatever_the_path_does_and_no_transfer_stalls()
    {
        await using var mesh = await MeshLab.CreateAsync(Spec, JoinedMesh.Programs, _ => { }, Cancellation);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        await mesh.JoinAsync("a", Cancellation);
        await mesh.JoinAsync("b", Cancellation);
        await mesh.MfctlAsync(Cancellation, "status", "--wait", "--timeout", "90");
        var (near, far) = (mesh.Lab.Topology["a-w1-p1"], mesh.Lab.Topology["b-w1-p1"]);
        await Until.TrueAsync(async () => await MtuAsync(mesh, "a-gw1", "10.2.0.0/16") == 8920, Limit, "jumbo frames to be found", Cancellation);
        await Until.TrueAsync(async () => (await mesh.MfctlAsync(Cancellation, "tunnel", "get", "a.gw1--b.gw1", "-o", "json")).Contains("\"mtuBytes\": 8920", StringComparison.Ordinal), Limit, "the control service to know", Cancellation);

        // Of outer packets: both ways the same, and then less one way than the other.
        foreach (var (there, back) in new[] { (1500, 1500), (1400, 1400), (1500, 1340), (1280, 1280) })
        {
            await RestrictAsync(mesh, there, back);
            await BulkTransfer.BothWaysAsync(near, far, far.Address!, Bytes, Promise, Cancellation);
            var smaller = Math.Min(there, back);
            await Until.TrueAsync(async () => await MtuAsync(mesh, "a-gw1", "10.2.0.0/16") <= smaller - 60 && await MtuAsync(mesh, "b-gw1", "10.1.0.0/16") <= back - 60, Promise, $"routes of what passes by {there} and {back}", Cancellation);
            Assert.InRange(await MtuAsync(mesh, "a-gw1", "10.2.0.0/16"), smaller - 60 - 60, smaller - 60);
            await BulkTransfer.BothWaysAsync(near, far, far.Address!, Bytes, TimeSpan.FromSeconds(10), Cancellation);
            // Whoever sends too much is told so, and by how much.
            var mtu = await MtuAsync(mesh, "a-gw1", "10.2.0.0/16");
            await mesh.Lab.ShellAsync(near.Name, "ip route flush cache", Cancellation);
            var large = await mesh.Lab.ExecAsync(near.Name, ["ping", "-c", "3", "-W", "2", "-M", "do", "-s", "1472", $"{far.Address}"], Cancellation);
            Assert.Contains($"{mtu}", large.Output + large.Error, StringComparison.Ordinal);
            Assert.Contains(" 0% packet loss", await mesh.Lab.ShellAsync(near.Name, $"ping -c 5 -i 0.2 -W 2 -M do -s {mtu - 28} {far.Address}", Cancellation), StringComparison.Ordinal);
        }

        // It grows again.
        await RestrictAsync(mesh, 9000, 9000);
        await BecomesLargestAsync();

        // Uplinks that carry little and queue less: what is too much is thrown away, and large packets sooner than small ones.
        foreach (var gateway in mesh.Lab.Topology.Gateways)
        {
            await mesh.Lab.ShellAsync(gateway.Name, "tc qdisc replace dev wan root tbf rate 20mbit burst 32kb latency 10ms", Cancellation);
        }

        await Task.WhenAll(
            BulkTransfer.BothWaysAsync(near, far, far.Address!, Bytes, Limit, Cancellation, connections: 8),
            BulkTransfer.BothWaysAsync(far, near, near.Address!, Bytes, Limit, Cancellation, connections: 8));
        Assert.Matches("dropped [1-9]", await mesh.Lab.ShellAsync("a-gw1", "tc -s qdisc show dev wan", Cancellation));
        foreach (var gateway in mesh.Lab.Topology.Gateways)
        {
            await mesh.Lab.ShellAsync(gateway.Name, "tc qdisc del dev wan root", Cancellation);
        }

        await BecomesLargestAsync();

        Task BecomesLargestAsync() => Until.TrueAsync(
            async () => await MtuAsync(mesh, "a-gw1", "10.2.0.0/16") == 8920 && await MtuAsync(mesh, "b-gw1", "10.1.0.0/16") == 8920, Promise, "jumbo frames to be found again", Cancellation);
    }

    // By the routes of the internet's router, which looks at each segment; and it keeps to itself what it throws away.
    static Task<string> RestrictAsync(MeshLab mesh, int there, int back) => mesh.Lab.ShellAsync(
        "inet",
        "nft add table ip silent; nft delete table ip silent; nft add table ip silent; nft add chain ip silent output '{ type filter hook output priority 0; }'; " +
        "nft add rule ip silent output icmp type destination-unreachable drop; " +
        $"{Narrow(mesh, "b", there)}; {Narrow(mesh, "a", back)}",
        Cancellation);

    static string Narrow(MeshLab mesh, string cluster, int mtu)
    {
        var topology = mesh.Lab.Topology.Cluster(cluster);
        var wan = topology.WanOf(1);
        return $"ip route replace {wan} dev c{topology.Index}g1 proto kernel scope link src {MeshFabric.Lab.Topology.LabTopology.At(wan, 1)} mtu lock {mtu}";
    }

    /// <summary>Of the gateway's route to a prefix.</summary>
    static async Task<int> MtuAsync(MeshLab mesh, string gateway, string prefix)
    {
        using var routes = JsonDocument.Parse(await mesh.Lab.ShellAsync(gateway, $"ip -j route show table 7710 {prefix}", Cancellation));
        return routes.RootElement.EnumerateArray().Where(r => r.TryGetProperty("metrics", out _)).SelectMany(r => r.GetProperty("metrics").EnumerateArray())
            .Select(m => m.TryGetProperty("mtu", out var mtu) ? mtu.GetInt32() : 0).FirstOrDefault(m => m > 0);
    }
}
