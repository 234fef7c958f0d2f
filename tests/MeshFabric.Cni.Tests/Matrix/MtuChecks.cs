using System.Globalization;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Pods' MTU is larger than the tunnels': nothing may hang because of it.</summary>
static class MtuChecks
{
    const int Bytes = 1 << 20;

    // Nobody is told that a packet was too large: as where a firewall in the middle drops ICMP.
    const string Block = """
        nft -f - <<'END'
        table inet mtu-block {
          chain sent { type filter hook output priority -500; icmp type destination-unreachable icmp code frag-needed drop; }
          chain passed { type filter hook forward priority -500; icmp type destination-unreachable icmp code frag-needed drop; }
        }
        END
        """;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task BulkWithoutIcmpAsync(Row row)
    {
        await row.OnNodesAsync(Block);
        try
        {
            await BulkTransfer.BothWaysAsync(row.PodOnWorker, row.FarOnWorker, row.FarAddress(row.FarOnWorker.Address!), Bytes, Limit, Cancellation);
            await BulkTransfer.BothWaysAsync(row.FarOnGateway, row.PodOnGateway, row.NearAddress(row.PodOnGateway.Address!), Bytes, Limit, Cancellation);
            await JumboAsync(row, 9001);
            await BulkTransfer.BothWaysAsync(row.PodOnWorker, row.FarOnWorker, row.FarAddress(row.FarOnWorker.Address!), Bytes, Limit, Cancellation);
        }
        finally
        {
            await JumboAsync(row, 1500);
            await row.OnNodesAsync("nft delete table inet mtu-block");
        }
    }

    // Pods with links of 9001 bytes, as AWS gives them, on nodes whose way out takes 1500: one plug-in that pairs links is enough.
    static async Task JumboAsync(Row row, int mtu)
    {
        if (row.Plugin == "ptp")
        {
            await row.Lab.ShellAsync(row.Worker.Name, $"ip link set $(ip -o route get {row.PodOnWorker.Address} | sed 's/.* dev \\([^ ]*\\) .*/\\1/') mtu {mtu}", Cancellation);
            await row.Lab.ShellAsync(row.PodOnWorker.Name, $"ip link set eth0 mtu {mtu}", Cancellation);
        }
    }

    /// <summary>As large as the pod's own link takes: it is answered, or the pod is told what fits, and that is answered.</summary>
    public static async Task LargeDatagramsAsync(Row row)
    {
        var mtu = int.Parse((await row.Lab.ShellAsync(row.PodOnWorker.Name, "cat /sys/class/net/eth0/mtu", Cancellation)).Trim(), CultureInfo.InvariantCulture);
        var to = row.FarAddress(row.FarOnWorker.Address!);
        foreach (var size in new[] { mtu, 1400 }.Where(s => s <= mtu))
        {
            var ping = $"ping -M do -s {size - 28} -c 3 -i 0.2 -W 4 {to} 2>&1 || true";
            var output = await row.Lab.ShellAsync(row.PodOnWorker.Name, ping, Cancellation);
            Assert.True(output.Contains("bytes from", StringComparison.Ordinal) || output.Contains("mtu", StringComparison.Ordinal), output);
        }

        Assert.Contains("bytes from", await row.Lab.ShellAsync(row.PodOnWorker.Name, $"ping -M do -s 1252 -c 3 -i 0.2 -W 4 {to} 2>&1 || true", Cancellation), StringComparison.Ordinal);
    }
}
