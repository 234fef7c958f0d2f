using k8s;
using k8s.Models;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Net;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>The source against a real API server and etcd.</summary>
public sealed class KubernetesInventoryTests(KubeApiServer server) : IClassFixture<KubeApiServer>
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nodes_that_come_change_and_go_reach_the_stream()
    {
        using var admin = server.Api.Client();
        await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = server.Api.Kubeconfig });
        var node = new NodeObject("changing-1")
        {
            Addresses = ["172.31.1.20"],
            PodCidrs = ["10.1.0.0/24"],
            ProviderId = "aws:///eu-west-1a/i-1",
            Labels = new() { ["topology.kubernetes.io/region"] = "eu-west-1", ["topology.kubernetes.io/zone"] = "eu-west-1a" },
        };
        var made = await admin.CreateNodeAsync(node, Cancel);
        await admin.CreateNodeAsync(new NodeObject("changing-2") { PodCidrs = ["10.1.1.0/24"] }, Cancel);

        var seen = await stream.UntilAsync(i => i.Nodes.Count(n => n.Name.StartsWith("changing", StringComparison.Ordinal) && n.Ready) == 2, Cancel);
        var first = seen.Nodes.Single(n => n.Name == "changing-1");
        Assert.Equal((["172.31.1.20"], [Cidr.Parse("10.1.0.0/24")], "eu-west-1a", "v1.20.2"), (first.Addresses, first.PodCidrs, first.Zone, first.KubeletVersion));
        Assert.Equal(("aws", "eu-west-1", ""), (seen.Location.Provider, seen.Location.Region, seen.Location.Zone));
        Assert.Equal("v1.20.2", seen.KubernetesVersion.Split('+', '-')[0]);
        Assert.Equal([Cidr.Parse("10.1.0.0/23")], seen.PodCidrs);

        made = await admin.CoreV1.ReadNodeAsync("changing-1", cancellationToken: Cancel);
        await admin.SetNodeStatusAsync(made, node with { Ready = false }, Cancel);
        await stream.UntilAsync(i => i.Nodes.Any(n => n is { Name: "changing-1", Ready: false }), Cancel);

        await admin.CoreV1.DeleteNodeAsync("changing-1", cancellationToken: Cancel);
        await admin.CoreV1.DeleteNodeAsync("changing-2", cancellationToken: Cancel);
        await stream.UntilAsync(i => !i.Nodes.Any(n => n.Name.StartsWith("changing", StringComparison.Ordinal)), Cancel);
    }

    [Fact]
    public async Task The_service_cidr_is_named_by_the_API_server_that_refuses_an_impossible_address()
    {
        using var admin = server.Api.Client();
        await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = server.Api.Kubeconfig });
        var seen = await stream.UntilAsync(_ => true, Cancel);
        Assert.Equal([Cidr.Parse("10.96.0.0/16")], seen.ServiceCidrs);
        var services = await admin.CoreV1.ListNamespacedServiceAsync("default", cancellationToken: Cancel);
        Assert.DoesNotContain(services.Items, s => s.Metadata.Name.StartsWith("meshfabric", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_does_not_change_the_inventory_is_not_emitted_again()
    {
        using var admin = server.Api.Client();
        var node = new NodeObject("steady-1") { PodCidrs = ["10.3.0.0/24"] };
        await admin.CreateNodeAsync(node, Cancel);
        await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = server.Api.Kubeconfig });
        await stream.UntilAsync(i => i.Nodes.Any(n => n is { Name: "steady-1", Ready: true }), Cancel);
        var patch = new V1Patch("""{"metadata":{"annotations":{"volatile":"1"}}}""", V1Patch.PatchType.MergePatch);
        await admin.CoreV1.PatchNodeAsync(patch, "steady-1", cancellationToken: Cancel);
        // The twin: a later change is seen, so the earlier one was too.
        await admin.CreateNodeAsync(new NodeObject("steady-2"), Cancel);
        await stream.UntilAsync(i => i.Nodes.Any(n => n is { Name: "steady-2", Ready: true }), Cancel);
        var all = stream.Emitted.ToArray();
        Assert.All(all.Zip(all.Skip(1)), pair => Assert.NotEqual(pair.First, pair.Second));
        await admin.CoreV1.DeleteNodeAsync("steady-1", cancellationToken: Cancel);
        await admin.CoreV1.DeleteNodeAsync("steady-2", cancellationToken: Cancel);
    }

    [Fact]
    public async Task The_stream_goes_on_after_the_API_server_was_killed_and_its_history_forgotten()
    {
        var api = await PrivateKubeApi.StartAsync(KubeApiServer.Options(), Cancel);
        try
        {
            using var admin = api.Client();
            await admin.CreateNodeAsync(new NodeObject("before") { PodCidrs = ["10.5.0.0/24"] }, Cancel);
            await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = api.Kubeconfig });
            await stream.UntilAsync(i => i.Nodes.Any(n => n.Name == "before"), Cancel);
            var emitted = stream.Emitted.Count;

            await api.KillServerAsync(Cancel);
            await stream.UntilLoggedAsync($"127.0.0.1:{api.Port} cannot be reached", Cancel);
            Assert.Equal(emitted, stream.Emitted.Count);
            await api.StartServersAsync(Cancel);
            await admin.CreateNodeAsync(new NodeObject("after") { PodCidrs = ["10.5.1.0/24"] }, Cancel);
            await stream.UntilAsync(i => i.Nodes.Any(n => n.Name == "after"), Cancel);

            // Now history is compacted while nobody watches: the old version cannot be continued.
            for (var i = 0; i < 5; i++)
            {
                await admin.CoreV1.CreateNamespacedConfigMapAsync(new V1ConfigMap { Metadata = new() { Name = $"later-{i}" } }, "default", cancellationToken: Cancel);
            }

            await api.KillServerAsync(Cancel);
            // A server that was merely restarted may say it too, for its watch cache is new: only one more counts.
            var gone = stream.TimesLogged("410 Gone");
            await api.CompactAsync(Cancel);
            await api.StartServersAsync(Cancel);
            await admin.CoreV1.DeleteNodeAsync("before", cancellationToken: Cancel);
            await stream.UntilLoggedAsync("410 Gone", gone + 1, Cancel);
            await stream.UntilAsync(i => i.Nodes is [{ Name: "after" }], Cancel);
        }
        finally
        {
            await api.DeleteAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_controller_manager_gives_nodes_their_pod_cidrs_and_the_stream_has_them()
    {
        var api = await PrivateKubeApi.StartAsync(KubeApiServer.Options() with { PodCidr = "10.77.0.0/16", ServiceCidr = "10.99.0.0/20" }, Cancel);
        try
        {
            using var admin = api.Client();
            await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = api.Kubeconfig });
            await admin.CreateNodeAsync(new NodeObject("n1"), Cancel);
            var seen = await stream.UntilAsync(i => i.Nodes is [{ PodCidrs.Count: 1 }], Cancel);
            Assert.True(Cidr.Parse("10.77.0.0/16").Contains(seen.Nodes[0].PodCidrs[0]));
            Assert.Equal(seen.Nodes[0].PodCidrs, seen.PodCidrs);
            Assert.Equal([Cidr.Parse("10.99.0.0/20")], seen.ServiceCidrs);
        }
        finally
        {
            await api.DeleteAsync(CancellationToken.None);
        }
    }
}
