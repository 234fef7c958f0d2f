using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>A Kubernetes cluster with two gateways is the hub of a site and of another Kubernetes cluster.</summary>
[Collection(WholeMachine.Name)]
public sealed class KubernetesHubTests
{
    const int Flows = 40;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    static readonly LabSpec Spec = new(
        LabSpec.NameOfThisRun("hub"),
        [
            new ClusterSpec("centre", "10.30.0.0/16") { Cni = "flannel-host-gw", PodsPerWorker = 1 },
            new ClusterSpec("west", "10.20.0.0/16") { Cni = "bridge", PodsPerWorker = 1 },
            new ClusterSpec("east", "10.10.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
        ]);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_hub_of_Kubernetes_nodes_hands_on_passes_its_service_proxy_and_its_drained_gateways()
    {
        await using var mesh = await NodeMesh.CreateAsync(Spec, JoinedMesh.Programs, _ => { }, Cancellation);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        var apis = new List<CniApi>();
        try
        {
            foreach (var cluster in new[] { "centre", "west" })
            {
                var api = await CniApi.StartAsync(mesh.Lab, cluster, Cancellation);
                apis.Add(api);
                await api.StartProxiesAsync(knowsPodCidr: true, ProxyMode.Iptables, Cancellation);
                await mesh.JoinAsync(cluster, api, 2, Cancellation);
            }

            await mesh.JoinSiteAsync("east", Cancellation);
            var file = Path.Combine(mesh.Lab.Directory, "topology.yaml");
            await File.WriteAllTextAsync(file, "apiVersion: meshfabric.io/v1\nkind: Topology\nspec: { type: hub-and-spoke, hubs: meshfabric.io/name=centre }\n", Cancellation);
            await mesh.MfctlAsync(Cancellation, "apply", "-f", file);
            await mesh.ConnectedAsync(Cancellation);
            Assert.DoesNotContain("east.gw1--west", await mesh.MfctlAsync(Cancellation, "tunnel", "list", "-o", "name"), StringComparison.Ordinal);

            var (east, west) = (mesh.Lab.Topology["east-w1-p1"], mesh.Lab.Topology["west-n3-p1"]);
            await Until.TrueAsync(async () => east.Address!.Equals(await PodClient.SeenAsAsync(east, west.Address!, TimeSpan.FromSeconds(2), Cancellation)), Limit, "east to reach west as itself", Cancellation);
            // By both gateways of the hub, each way by its own choice.
            Assert.Contains("--ctstate INVALID -j DROP", await mesh.Lab.ShellAsync("centre-n1", "iptables-save | grep INVALID || iptables-nft-save | grep INVALID", Cancellation), StringComparison.Ordinal);
            foreach (var (from, to) in new[] { (east, west), (west, east) })
            {
                var seen = await Task.WhenAll(Enumerable.Range(0, Flows).Select(_ => PodClient.SeenAsAsync(from, to.Address!, TimeSpan.FromSeconds(10), Cancellation)));
                Assert.All(seen, s => Assert.Equal(from.Address, s));
            }

            await using var flows = PingFlows.Start(east, west.Address!, count: 8, rate: 50);
            await flows.GoOnAsync(Limit, "before", Cancellation, answers: 50);
            foreach (var gateway in new[] { "centre/gw1", "centre/gw2" })
            {
                await mesh.MfctlAsync(Cancellation, "gateway", "drain", gateway);
                await flows.GoOnAsync(Limit, $"with {gateway} drained", Cancellation);
                await mesh.MfctlAsync(Cancellation, "gateway", "undrain", gateway);
            }

            Assert.All(await flows.StopAsync(), r => Assert.True(r.Lost == 0, r.Told));
        }
        finally
        {
            foreach (var api in apis)
            {
                await api.DisposeAsync();
            }

            KeptLogs.Of(mesh.Lab, JoinedMesh.Root(), "e2e");
        }
    }
}
