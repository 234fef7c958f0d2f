using System.Text.Json;
using System.Text.RegularExpressions;
using k8s;
using MeshFabric.Domain.Planning;
using MeshFabric.Lab;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.Net;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Where the mesh's packets go, and what follows when a gateway does not.</summary>
static partial class SteeringChecks
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Table main, which a plug-in's routing daemon reads, is as it was; so are the plug-in's devices. Our routes, rules and settings concern our own tables and devices alone.</summary>
    public static async Task RoutesApartAsync(Row row)
    {
        foreach (var node in row.Nodes)
        {
            var difference = HostState.Difference(row.Before[node.Name], await HostState.ReadAsync(row.Lab, node.Name, Cancellation));
            Assert.DoesNotContain(difference, l => IsForeign(l[2..]));
            Assert.Contains(difference, l => Own().IsMatch(l));
        }
    }

    /// <summary>A node without an agent is forgotten by the others, and known again when its agent is back.</summary>
    public static async Task NodeGoesAndComesAsync(Row row)
    {
        var node = row.Worker;
        await KnownAsync(row, node, true);
        await row.Mesh.LeaveNodeAsync(node.Name, row.Cluster, row.Api, Cancellation);
        await KnownAsync(row, node, false);
        await row.Mesh.StartAgentAsync(node.Name, row.Api, MatrixMesh.Gateways, Cancellation);
        await KnownAsync(row, node, true);
        await Row.HealsAsync(row.PodPaths, $"the agent of {node.ShortName} came back");
    }

    /// <summary>There are to be fewer gateways, and then as many as before: a node that is one no longer is steered like any other.</summary>
    public static async Task FewerGatewaysAsync(Row row)
    {
        if (row.Cluster != "flannel-vxlan")
        {
            throw new NotAskedException("as flannel-vxlan");
        }

        await row.Mesh.RestartAsync(row.Cluster, row.Api, 1, Cancellation);
        var agents = row.Mesh.Agents(row.Cluster);
        await GatewaysAsync(row, 1);
        await row.Mesh.MfctlAsync(Cancellation, "gateway", "remove", $"{row.Cluster}/gw2", "--yes");
        await Row.HealsAsync(row.PodPaths, "one gateway was left");

        // Whoever restarts agents that end waits longer each time, and the node's pods with them.
        Assert.Equal(agents, row.Mesh.Agents(row.Cluster));
        await row.Mesh.RestartAsync(row.Cluster, row.Api, MatrixMesh.Gateways, Cancellation);
        await GatewaysAsync(row, MatrixMesh.Gateways);
        await row.Mesh.ConnectedAsync(Cancellation);
        await Row.HealsAsync(row.PodPaths, "there were as many gateways again");
    }

    /// <summary>Weave Net's nodes take ranges from each other while they run: a pod with an address of the new one is reached.</summary>
    public static async Task RangesMoveAsync(Row row)
    {
        if (row.Plugin != "weave")
        {
            throw new NotAskedException("ranges stay");
        }

        var network = Cidr.Parse(row.Lab.Topology.Cluster(row.Cluster).Spec.PodCidr!);
        var (range, address) = (LabTopology.Part(network, 24, 200), LabTopology.At(LabTopology.Part(network, 24, 200), 2));
        var pod = row.SecondOnWorker;
        await row.Lab.ShellAsync(row.Worker.Name, $"ipset add weaver-no-masq-local {range}; ipset add weave-open-ingress {address}; ipset add weave-open-egress {address}", Cancellation);
        await row.Lab.ShellAsync(pod.Name, $"ip addr add {address}/{network.Length} dev eth0", Cancellation);
        try
        {
            await RoutedAsync(row, range, true);
            // By TCP: a UDP server that is bound to no address answers with the pod's first one.
            foreach (var far in new[] { row.FarOnGateway, row.FarOnWorker })
            {
                await Until.TrueAsync(async () => row.FarAddress(far.Address!).Equals(await PodClient.SeenAsAsync(far, row.NearAddress(address), Row.Soon, Cancellation)), Row.Heal, $"{far.Name} to be seen by {address} after a range moved", Cancellation);
            }
        }
        finally
        {
            await row.Lab.ShellAsync(pod.Name, $"ip addr del {address}/{network.Length} dev eth0", Cancellation);
            await row.Lab.ShellAsync(row.Worker.Name, $"ipset del weaver-no-masq-local {range}; ipset del weave-open-ingress {address}; ipset del weave-open-egress {address}", Cancellation);
        }

        await RoutedAsync(row, range, false);
    }

    /// <summary>Somebody else's VXLAN gets the overlay's port, and its number, on one node: all nodes go to another port, and stay there when it is free again.</summary>
    public static async Task PortTakenAsync(Row row)
    {
        await PortAsync(row, NodePlanner.Ports[0]);
        // The kernel takes the same number and port only once: ours goes first, as when the other one was there before.
        await row.Lab.ShellAsync(row.Worker.Name, $"for i in $(seq 50); do ip link del meshx0 || true; ip link add foreign0 type vxlan id {NodePlanner.Vni} dstport {NodePlanner.Ports[0]} local {row.Worker.Address} nolearning && break; done 2>/dev/null; ip link set foreign0 up", Cancellation);
        try
        {
            await PortAsync(row, NodePlanner.Ports[1]);
            await Row.HealsAsync(row.PodPaths, "the overlay's port was taken");
        }
        finally
        {
            await row.Lab.ShellAsync(row.Worker.Name, "ip link del foreign0", Cancellation);
        }

        await Row.HealsAsync(row.PodPaths, "the overlay's port was free again");
        await PortAsync(row, NodePlanner.Ports[1]);
    }

    /// <summary>A gateway that is cut off takes no flow down for long, and gets its share again.</summary>
    public static async Task GatewayFailsAsync(Row row)
    {
        await using (var flows = PingFlows.BothWays(row.PodOnWorker, row.FarAddress(row.FarOnWorker.Address!), row.FarOnWorker, row.NearAddress(row.PodOnWorker.Address!), pairs: 4, rate: 50))
        {
            await flows.GoOnAsync(Row.Heal, "before", Cancellation, answers: 20);
            await row.Lab.ShellAsync($"{row.Cluster}-lan", "ip link set n2 down", Cancellation);
            try
            {
                await flows.GoOnAsync(Row.Heal, "without the gateway", Cancellation);
            }
            finally
            {
                await row.Lab.ShellAsync($"{row.Cluster}-lan", "ip link set n2 up", Cancellation);
            }

            Assert.All(await flows.StopAsync(), r => Assert.True(r.LongestGap < TimeSpan.FromSeconds(3), $"no answer for {r.LongestGap.TotalSeconds:0.0} s"));
        }

        await Row.HealsAsync(row.PodPaths, "the gateway came back");
    }

    static async Task GatewaysAsync(Row row, int count)
    {
        var told = 0;
        await Until.TrueAsync(
            async () =>
            {
                var list = (JsonElement)await row.Api.Client.CustomObjects.ListClusterCustomObjectAsync("meshfabric.io", "v1alpha1", "meshgateways", cancellationToken: Cancellation);
                return (told = list.GetProperty("items").GetArrayLength()) == count;
            },
            Row.Heal, () => $"{count} gateway(s) in {row.Cluster}; it tells of {told}", Cancellation);
    }

    static async Task PortAsync(Row row, int port)
    {
        foreach (var node in row.Nodes)
        {
            var device = "";
            await Until.TrueAsync(async () => (device = await row.Lab.ShellAsync(node.Name, "ip -d link show meshx0 2>&1 || true", Cancellation)).Contains($" dstport {port} ", StringComparison.Ordinal),
                Row.Heal, () => $"the overlay of {node.ShortName} to use port {port}:\n{device}", Cancellation);
        }
    }

    /// <summary>Waits until every gateway has, or has not, a node's forwarding entry, neighbour and routes.</summary>
    static async Task KnownAsync(Row row, LabHost node, bool known)
    {
        foreach (var gateway in row.Nodes.Take(MatrixMesh.Gateways))
        {
            var told = "";
            await Until.TrueAsync(
                async () =>
                {
                    told = await row.Lab.ShellAsync(gateway.Name, $"bridge fdb show dev meshx0 | grep -c 'dst {node.Address} ' || true; ip neigh show dev meshx0 | grep -c '^{node.Address} ' || true; ip route show table {NodePlanner.PodTable} | grep -c 'via {node.Address} ' || true", Cancellation);
                    return told.Split('\n', StringSplitOptions.RemoveEmptyEntries).All(n => n != "0" == known);
                },
                Row.Heal, () => $"{gateway.ShortName} to {(known ? "know" : "forget")} {node.ShortName}; forwarding entries, neighbours, routes: {told}", Cancellation);
        }
    }

    static async Task RoutedAsync(Row row, Cidr range, bool routed)
    {
        foreach (var gateway in row.Nodes.Take(MatrixMesh.Gateways))
        {
            var routes = "";
            await Until.TrueAsync(async () => (routes = await row.Lab.ShellAsync(gateway.Name, $"ip route show table {NodePlanner.PodTable}", Cancellation)).Contains($"{range} via {row.Worker.Address} ", StringComparison.Ordinal) == routed,
                Row.Heal, () => $"{range} {(routed ? "" : "not ")}to be routed to {row.Worker.ShortName} by {gateway.ShortName}:\n{routes}", Cancellation);
        }
    }

    static bool IsForeign(string line) => line.Split(' ')[0] switch
    {
        // The kernel's own for our devices, and ours in our tables by our devices; a route without a device leaves the packet to others.
        "route" => !(OwnDevice().IsMatch(line) && (line.Contains(" table local ", StringComparison.Ordinal) || line.Contains(" proto kernel ", StringComparison.Ordinal) || OwnTable().IsMatch(line)))
            && !(OwnTable().IsMatch(line) && (!line.Contains(" dev ", StringComparison.Ordinal) || line.StartsWith("route unreachable ", StringComparison.Ordinal))),
        "neigh" or "fdb" => !OwnDevice().IsMatch(line),
        "rule" => !OwnRule().IsMatch(line),
        "sysctl" => !OwnSetting().IsMatch(line),
        _ => false,
    };

    [GeneratedRegex(@"\bdev (meshx|mf)[0-9]+\b")]
    private static partial Regex OwnDevice();

    [GeneratedRegex(@" table 77(1[0-4]|2[0-9])\b")]
    private static partial Regex OwnTable();

    [GeneratedRegex(@"^rule 10[2-7]:.* lookup 77(1[0-4]|2[0-9])\b")]
    private static partial Regex OwnRule();

    // Of the whole host: what a router needs, and that planes share flows by their ports.
    [GeneratedRegex(@"/conf/(meshx|mf)[0-9]+/|/fib_multipath_hash_policy ")]
    private static partial Regex OwnSetting();

    [GeneratedRegex(@"^\+ route .* table 77(1[02])\b")]
    private static partial Regex Own();
}
