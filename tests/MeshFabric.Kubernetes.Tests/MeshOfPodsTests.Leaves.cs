using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

// The nodes of borealis end tunnels themselves for a while.
public sealed partial class MeshOfPodsTests
{
    [Fact]
    public async Task Nodes_end_tunnels_themselves_when_that_is_declared_and_no_longer_when_not_and_nothing_is_lost()
    {
        const string space = "leaves";
        var aurora = await EchoWorkload.RunAsync(Aurora, space, 2, Cancellation);
        var borealis = await EchoWorkload.RunAsync(Borealis, space, Borealis.Nodes.Count(n => n.IsOn), Cancellation);
        var gateways = await GatewayNodesAsync();
        var workers = Borealis.Nodes.Where(n => n.IsOn && !gateways.Contains(n.Name)).Select(n => n.Name).Order(StringComparer.Ordinal).ToList();
        Assert.NotEmpty(workers);
        await using var flows = PingFlows.ToEach(Aurora.HostOf(aurora[0]), borealis.Select(JoinedClusters.InMesh));
        await flows.GoOnAsync(OneCluster.Limit, "before", Cancellation);
        await joined.Mesh.MfctlAsync(Cancellation, "cluster", "set", "borealis", "--granularity", "node");
        await Until.TrueAsync(async () => (await joined.Mesh.LeavesAsync("borealis", Cancellation)).SequenceEqual(workers), OneCluster.Limit, "each worker to be a leaf", Cancellation);
        await joined.Mesh.MfctlAsync(Cancellation, "status", "--wait", "--timeout", "90");
        var edge = Aurora.Nodes[0].Name;
        foreach (var pod in borealis.Where(p => workers.Contains(p.Spec.NodeName)))
        {
            var network = string.Join('.', JoinedClusters.InMesh(pod).ToString().Split('.')[..3]) + ".0/24";
            await Until.TrueAsync(async () => (await joined.Mesh.Lab.ExecAsync(edge, ["ip", "-4", "route", "show", "table", "7710", network], Cancellation)).Output.Contains("dev mf8", StringComparison.Ordinal),
                OneCluster.Limit, $"{edge} to send what is for {network} to its own node", Cancellation);
        }

        await flows.GoOnAsync(OneCluster.Limit, "by leaves", Cancellation);
        foreach (var (near, far) in aurora.SelectMany(a => borealis.Select(b => (a, b))))
        {
            await FetchBothWaysAsync(near, far);
        }

        await joined.Mesh.MfctlAsync(Cancellation, "cluster", "set", "borealis", "--granularity", "gateway");
        await Until.TrueAsync(async () => (await Task.WhenAll(workers.Select(w => joined.Mesh.TunnelDevicesAsync(w, Cancellation)))).All(t => t.Count == 0), OneCluster.Limit, "the leaves to leave", Cancellation);
        await flows.GoOnAsync(OneCluster.Limit, "by gateways again", Cancellation);
        Assert.All(await flows.StopAsync(), r => Assert.True(r.Lost == 0, r.Told));

        // Others of this class count gateways.
        await Until.TrueAsync(async () => (await joined.Mesh.LeavesAsync("borealis", Cancellation)).Count == 0, OneCluster.Limit, "the control service to forget the leaves", Cancellation);
    }
}
