using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using MeshFabric.Lab.Topology;
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
          chain sent {
            type filter hook output priority -500
            icmp type destination-unreachable icmp code frag-needed drop
            icmpv6 type packet-too-big drop
          }
          chain passed {
            type filter hook forward priority -500
            icmp type destination-unreachable icmp code frag-needed drop
            icmpv6 type packet-too-big drop
          }
        }
        END
        """;

    /// <summary>Of pods' links, bytes, besides what the plug-in gives them; the last as AWS does.</summary>
    static readonly int[] Sizes = [1450, 1500, 9001];

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task BulkWithoutIcmpAsync(Row row)
    {
        var nodes = row.Lab.Topology.Nodes.Where(n => n.Cluster == row.Cluster || n.Cluster == MatrixMesh.Hub).ToList();
        await row.OnAsync(nodes, Block);
        try
        {
            await BothAsync(row);
            // Weave Net's bridge takes no more than its own tunnel does.
            foreach (var size in row.Plugin == "weave" ? [] : Sizes)
            {
                var before = await ResizeAsync(row, size);
                try
                {
                    await BothAsync(row);
                }
                finally
                {
                    foreach (var (host, script) in before)
                    {
                        await row.Lab.ShellAsync(host.Name, script, Cancellation);
                    }
                }
            }
        }
        finally
        {
            await row.OnAsync(nodes, "nft delete table inet mtu-block");
        }
    }

    static async Task BothAsync(Row row)
    {
        await BulkTransfer.BothWaysAsync(row.PodOnWorker, row.FarOnWorker, row.FarAddress(row.FarOnWorker.Address!), Bytes, Limit, Cancellation);
        await BulkTransfer.BothWaysAsync(row.FarOnGateway, row.PodOnGateway, row.NearAddress(row.PodOnGateway.Address!), Bytes, Limit, Cancellation);
        if (row.IsDualStack)
        {
            await BulkTransfer.BothWaysAsync(row.PodOnWorker, row.FarOnWorker, row.FarOnWorker.Address6!, Bytes, Limit, Cancellation);
            await BulkTransfer.BothWaysAsync(row.FarOnGateway, row.PodOnGateway, row.PodOnGateway.Address6!, Bytes, Limit, Cancellation);
        }
    }

    /// <summary>Gives pods' links another MTU, on nodes whose way out takes 1500.</summary>
    /// <returns>What makes them as they were.</returns>
    static async Task<IReadOnlyList<(LabHost Host, string Script)>> ResizeAsync(Row row, int mtu)
    {
        var before = new List<(LabHost, string)>();
        foreach (var pod in new[] { row.PodOnWorker, row.PodOnGateway })
        {
            var node = row.NodeOf(pod);
            // The pod's own cable, or a bridge and all its cables.
            var links = (await row.Lab.ShellAsync(node.Name, $"d=$(ip -o route get {pod.Address} | sed 's/.* dev \\([^ ]*\\) .*/\\1/'); for l in $(ls /sys/class/net/$d/brif 2>/dev/null || true) $d; do echo $l $(cat /sys/class/net/$l/mtu); done", Cancellation))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')).Select(l => (Name: l[0], Mtu: l[1])).Where(l => !l.Name.Contains("vxlan", StringComparison.Ordinal)).ToList();
            var own = (await row.Lab.ShellAsync(pod.Name, "cat /sys/class/net/eth0/mtu", Cancellation)).Trim();
            before.AddRange([(node, string.Join("; ", links.Select(l => $"ip link set {l.Name} mtu {l.Mtu}"))), (pod, $"ip link set eth0 mtu {own}")]);
            await row.Lab.ShellAsync(node.Name, string.Join("; ", links.Select(l => $"ip link set {l.Name} mtu {mtu}")), Cancellation);
            await row.Lab.ShellAsync(pod.Name, $"ip link set eth0 mtu {mtu}", Cancellation);
        }

        return before;
    }

    /// <summary>As large as the pod's own link takes, and not to be fragmented: it is answered, or the pod is told what fits, and that is answered.</summary>
    public static async Task LargeDatagramsAsync(Row row)
    {
        var mtu = int.Parse((await row.Lab.ShellAsync(row.PodOnWorker.Name, "cat /sys/class/net/eth0/mtu", Cancellation)).Trim(), CultureInfo.InvariantCulture);
        foreach (var size in new[] { mtu, 1400 }.Where(s => s <= mtu))
        {
            await FitsAsync(row, row.PodOnWorker, row.FarAddress(row.FarOnWorker.Address!), size);
            await FitsAsync(row, row.FarOnWorker, row.NearAddress(row.PodOnWorker.Address!), Math.Min(size, 1450));
        }

        foreach (var size in new[] { mtu, 1400 }.Where(s => s <= mtu))
        {
            await UdpFitsAsync(row.PodOnWorker, row.FarAddress(row.FarOnWorker.Address!), size);
        }

        await UdpFitsAsync(row.FarOnWorker, row.NearAddress(row.PodOnWorker.Address!), Math.Min(1400, mtu));
        if (row.PodPaths6.Count > 0)
        {
            await FitsAsync(row, row.PodOnWorker, row.FarOnWorker.Address6!, mtu);
        }
    }

    /// <summary>By UDP that is not to be fragmented: 1400 bytes are answered; what is too large is told to whoever sends.</summary>
    static async Task UdpFitsAsync(LabHost from, IPAddress to, int size)
    {
        const int certain = 1400, headers = 28, attempts = 8;
        for (var attempt = 1; attempt <= attempts; attempt++)
        {
            var answer = await PodClient.EchoedAsync(from, to, size - headers, Row.Soon, Cancellation);
            if (answer == EchoAnswer.Echoed || (answer == EchoAnswer.TooLarge && size > certain))
            {
                return;
            }
        }

        Assert.Fail($"a datagram of {size} bytes from {from.Name} to {to} is neither answered nor told to be too large");
    }

    /// <param name="size">Of the whole packet, bytes.</param>
    static async Task FitsAsync(Row row, LabHost from, IPAddress to, int size)
    {
        const int smallest = 1280;
        // IPv4 and ICMP 20 + 8 bytes, IPv6 40 + 8.
        var headers = to.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 28 : 48;
        // Once for what comes on the way, once for what is told, once for the path's own memory.
        for (var attempt = 0; attempt < 4; attempt++)
        {
            var output = await row.Lab.ShellAsync(from.Name, $"ping -n -M do -s {size - headers} -c 3 -i 0.2 -W 4 {to} 2>&1 || true", Cancellation);
            if (output.Contains("bytes from", StringComparison.Ordinal))
            {
                Assert.InRange(size, smallest, int.MaxValue);
                return;
            }

            var told = Regex.Matches(output, "mtu ?= ?(?<mtu>[0-9]+)").Select(m => int.Parse(m.Groups["mtu"].Value, CultureInfo.InvariantCulture)).DefaultIfEmpty(size).Min();
            Assert.True(told < size || attempt == 0, $"{size} bytes from {from.Name} to {to} are neither answered nor is anybody told what fits:\n{output}");
            size = told;
        }

        Assert.Fail($"{from.Name} was told again and again that {size} bytes to {to} are too large");
    }
}
