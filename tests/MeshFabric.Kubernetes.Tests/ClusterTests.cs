using System.Net;
using k8s;
using k8s.Models;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>The cluster itself, without the product: what the other tests stand on.</summary>
[Collection(OneCluster.Name)]
public sealed class ClusterTests(OneCluster one)
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_nodes_are_ready_within_a_minute_each_with_the_pod_CIDR_of_its_number()
    {
        Assert.InRange(one.Start, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        var nodes = (await one.Cluster.Client.CoreV1.ListNodeAsync(cancellationToken: Cancellation)).Items;
        Assert.Equal(
            ["aurora-n1 10.10.1.0/24 192.0.2.2", "aurora-n2 10.10.2.0/24 192.0.2.3"],
            nodes.OrderBy(n => n.Metadata.Name).Select(n => $"{n.Metadata.Name} {n.Spec.PodCIDR} {n.Status.Addresses.First(a => a.Type == "InternalIP").Address}"));
        Assert.All(nodes, n => Assert.StartsWith("containerd://", n.Status.NodeInfo.ContainerRuntimeVersion, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_pod_reaches_a_pod_of_another_node_by_its_own_address()
    {
        var pods = await EchoWorkload.RunAsync(one.Cluster, "pod-to-pod", 2, Cancellation);
        Assert.Equal(["aurora-n1", "aurora-n2"], pods.Select(p => p.Spec.NodeName));
        Assert.Equal(pods[0].Status.PodIP, await GetAsync(pods[0], $"http://{pods[1].Status.PodIP}:8080/"));

        // The same from this process, and by UDP: what measurements are made with.
        var (from, to) = (one.Cluster.HostOf(pods[0]), one.Cluster.HostOf(pods[1]));
        Assert.Equal(from.Address, await PodClient.SeenAsAsync(from, to.Address!, OneCluster.Limit, Cancellation));
        await using var stream = PingStream.Start(from, to.Address!);
        await Until.TrueAsync(() => stream.Answered > 20, OneCluster.Limit, "answers to UDP packets", Cancellation);
        Assert.Equal(0, (await stream.StopAsync()).Lost);
    }

    [Fact]
    public async Task A_Service_answers_at_its_cluster_address_with_every_pod_behind_it()
    {
        var pods = await EchoWorkload.RunAsync(one.Cluster, "pod-to-service", 2, Cancellation);
        var service = await one.Cluster.Client.CoreV1.ReadNamespacedServiceAsync(EchoWorkload.Name, "pod-to-service", cancellationToken: Cancellation);
        var answered = new HashSet<string>();
        await Until.TrueAsync(
            async () =>
            {
                // kube-proxy refuses until it has heard of the endpoints.
                answered.Add((await one.Cluster.ExecAsync(pods[0], EchoWorkload.Neighbour, ["mfecho", "get", $"http://{service.Spec.ClusterIP}/host"], Cancellation)).Output.Trim());
                return pods.All(p => answered.Contains(p.Metadata.Name));
            },
            OneCluster.Limit,
            () => $"both pods to answer; heard of {string.Join(", ", answered)}",
            Cancellation);

        var slices = await one.Cluster.Client.DiscoveryV1.ListNamespacedEndpointSliceAsync("pod-to-service", cancellationToken: Cancellation);
        Assert.Equal(pods.Select(p => p.Status.PodIP).Order(), slices.Items.SelectMany(s => s.Endpoints).SelectMany(e => e.Addresses).Order());
    }

    [Fact]
    public async Task Containers_of_one_pod_talk_by_localhost_and_their_logs_can_be_read()
    {
        var pod = (await EchoWorkload.RunAsync(one.Cluster, "container-to-container", 1, Cancellation))[0];
        var answer = await one.Cluster.ExecAsync(pod, EchoWorkload.Neighbour, ["mfecho", "get", "http://127.0.0.1:8080/told-in-the-log"], Cancellation);
        Assert.Equal((0, "127.0.0.1\n"), (answer.ExitCode, answer.Output));

        using var log = new StreamReader(await one.Cluster.Client.CoreV1.ReadNamespacedPodLogAsync(pod.Metadata.Name, "container-to-container", container: EchoWorkload.Server, cancellationToken: Cancellation));
        Assert.Contains("127.0.0.1 GET /told-in-the-log HTTP/1.0", await log.ReadToEndAsync(Cancellation), StringComparison.Ordinal);

        var failed = await one.Cluster.ExecAsync(pod, EchoWorkload.Server, ["sh", "-c", "echo wrong >&2; exit 3"], Cancellation);
        Assert.Equal((3, "wrong\n"), (failed.ExitCode, failed.Error));
    }

    [Fact]
    public async Task A_pod_leaves_the_cluster_as_its_node_and_finds_the_API_server_with_its_service_account()
    {
        var pods = await EchoWorkload.RunAsync(one.Cluster, "pod-to-outside", 2, Cancellation);
        await using var outside = PodServers.Start(one.Lab.Topology, one.Lab.Topology["control"]);
        Assert.Equal("192.0.2.2", await GetAsync(pods[0], "http://203.0.113.2:8080/"));
        Assert.Equal("192.0.2.3", await GetAsync(pods[1], "http://203.0.113.2:8080/"));
        Assert.Null(await PodClient.SeenAsAsync(one.Lab.Topology["control"], IPAddress.Parse(pods[0].Status.PodIP), TimeSpan.FromSeconds(2), Cancellation));

        const string ask = "cd /var/run/secrets/kubernetes.io/serviceaccount && [ -s token ] && [ -s ca.crt ] && nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo reached";
        var account = await one.Cluster.ExecAsync(pods[0], EchoWorkload.Neighbour, ["sh", "-c", ask], Cancellation);
        Assert.Equal((0, "reached\n"), (account.ExitCode, account.Output));
    }

    async Task<string> GetAsync(V1Pod from, string url)
    {
        var result = await one.Cluster.ExecAsync(from, EchoWorkload.Neighbour, ["mfecho", "get", url], Cancellation);
        return result.Checked($"asking {url} from {from.Metadata.Name}").Output.Trim();
    }
}
