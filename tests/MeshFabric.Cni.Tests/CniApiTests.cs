using System.Net;
using k8s;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests;

/// <summary>What the matrix stands on besides the nodes' states: a real API with what the plug-in shows in it, and a real kube-proxy.</summary>
[Collection(WholeMachine.Name)]
public sealed class CniApiTests
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_API_shows_the_plug_in_and_kube_proxy_serves_what_the_API_says()
    {
        var spec = new LabSpec(LabSpec.NameOfThisRun("kapi"), [new ClusterSpec("a", "10.244.0.0/16") { Cni = "calico-vxlan" }]);
        await using var lab = await MeshFabric.Lab.Lab.CreateAsync(spec, null, Cancellation);
        await using var servers = PodServers.Start(lab.Topology, lab.Topology["control"]);
        await using var api = await CniApi.StartAsync(lab, "a", Cancellation);

        Assert.Equal(["calico-node", "kube-proxy"], (await api.Client.AppsV1.ListDaemonSetForAllNamespacesAsync(cancellationToken: Cancellation)).Items.Select(d => d.Metadata.Name).Order(StringComparer.Ordinal));
        Assert.Equal(3, (await api.Client.CoreV1.ListNodeAsync(cancellationToken: Cancellation)).Items.Count(n => n.Metadata.Annotations.ContainsKey("projectcalico.org/IPv4Address")));
        Assert.Equal(6, (await api.Client.CoreV1.ListNamespacedPodAsync("default", cancellationToken: Cancellation)).Items.Count(p => lab.Topology.Pods.Any(h => h.Address!.ToString() == p.Status.PodIP)));
        var pools = await api.Client.CustomObjects.ListClusterCustomObjectAsync("crd.projectcalico.org", "v1", "ippools", cancellationToken: Cancellation);
        Assert.Contains("10.244.0.0/16", pools.ToString(), StringComparison.Ordinal);

        var (from, behind) = (lab.Topology["a-n1-p1"], lab.Topology["a-n2-p1"]);
        await api.CreateServiceAsync("one", "10.96.0.80", [behind.Address!], nodePort: 30080, local: false, Cancellation);
        await api.StartProxiesAsync(knowsPodCidr: true, ProxyMode.Iptables, Cancellation);
        await Until.TrueAsync(async () => from.Address!.Equals(await PodClient.SeenAsAsync(from, IPAddress.Parse("10.96.0.80"), TimeSpan.FromSeconds(2), Cancellation)), Limit, "an answer by the ClusterIP, source kept", Cancellation);

        // Somebody outside by a node's own port.
        await Until.TrueAsync(async () => (await lab.ExecAsync("control", ["curl", "-sf", "-m", "2", $"http://{lab.Topology["a-n3"].Address}:30080/"], Cancellation)).ExitCode == 0, Limit, "an answer by a NodePort", Cancellation);

        await api.DeleteAsync(Cancellation);
        Assert.Null(lab.Process("a-n1", "kube-proxy").Pid);
    }
}
