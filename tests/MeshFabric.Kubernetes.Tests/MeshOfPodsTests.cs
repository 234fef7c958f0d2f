using System.Globalization;
using System.Net;
using System.Text.Json;
using k8s;
using k8s.Models;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>What pods of two joined clusters see of each other, whatever happens to their nodes.</summary>
public sealed partial class MeshOfPodsTests(JoinedClusters joined) : IClassFixture<JoinedClusters>
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    KubeCluster Aurora => joined.Aurora;

    KubeCluster Borealis => joined.Borealis;

    [Fact]
    public async Task Pods_of_every_node_fetch_from_pods_of_every_node_of_the_other_cluster_and_from_its_imported_Service_and_keep_their_addresses()
    {
        const string space = "fetch";
        var aurora = await EchoWorkload.RunAsync(Aurora, space, 2, Cancellation);
        // On a worker too, not on both gateways alone.
        var borealis = await EchoWorkload.RunAsync(Borealis, space, Borealis.Nodes.Count(n => n.IsOn), Cancellation);
        foreach (var (near, far) in aurora.SelectMany(a => borealis.Select(b => (a, b))))
        {
            await FetchBothWaysAsync(near, far);
            await SeenByUdpAsync(Aurora, near, far);
            await SeenByUdpAsync(Borealis, far, near);
        }

        foreach (var node in Borealis.Nodes.Where(n => n.IsOn))
        {
            await HostNetworkAsync(node.Name, aurora[0]);
        }

        foreach (var pod in borealis)
        {
            // Containers of one pod share its loopback, which is nobody else's business.
            Assert.Equal("127.0.0.1", (await Borealis.ExecAsync(pod, EchoWorkload.Neighbour, ["mfecho", "get", "http://127.0.0.1:8080/", "5"], Cancellation)).Output.Trim());
        }

        await FromOutsideAsync(Borealis, space);
        await ImportAsync(Aurora, space, aurora, borealis);
        await ImportAsync(Borealis, space, borealis, aurora);
    }

    [Fact]
    public async Task Pods_fetch_from_a_ClusterIP_of_the_other_cluster_when_its_Services_are_advertised_and_keep_their_addresses()
    {
        const string space = "services";
        var (aurora, borealis) = await RunAsync(space, 2);
        var service = await Borealis.Client.CoreV1.ReadNamespacedServiceAsync(EchoWorkload.Name, space, cancellationToken: Cancellation);
        var inMesh = await joined.Mesh.AdvertiseServicesAsync("borealis", Cancellation);
        var address = inMesh(IPAddress.Parse(service.Spec.ClusterIP));
        foreach (var asker in aurora)
        {
            await AllAnswerAsync(Aurora, asker, address.ToString(), borealis);
        }
    }

    [Fact]
    public async Task A_pod_that_is_made_anew_on_another_node_is_reached_and_seen_by_its_new_address()
    {
        var (aurora, borealis) = await RunAsync("moved", 1);
        var (near, first) = (aurora[0], borealis[0]);
        await JoinedClusters.FetchAsync(Aurora, near, $"{JoinedClusters.InMesh(first)}:8080", Cancellation);
        await CordonAsync(first.Spec.NodeName, true);
        try
        {
            await Borealis.Client.CoreV1.DeleteNamespacedPodAsync(first.Metadata.Name, "moved", cancellationToken: Cancellation);
            var second = (await EchoWorkload.UntilReadyAsync(Borealis, "moved", 1, Cancellation))[0];
            Assert.NotEqual(first.Spec.NodeName, second.Spec.NodeName);
            await FetchBothWaysAsync(near, second);
        }
        finally
        {
            await CordonAsync(first.Spec.NodeName, false);
        }
    }

    [Fact]
    public async Task A_node_that_comes_to_a_running_cluster_is_routed_as_soon_as_its_agent_runs_and_takes_the_place_of_a_gateway_that_is_lost()
    {
        var node = Borealis.Nodes[3];
        var adding = Borealis.AddNodeAsync(node, Cancellation);
        await Until.TrueAsync(() => AgentRunsAsync(node.Name), OneCluster.Limit, $"the agent of {node.Name} to run", Cancellation);
        var runs = TimeProvider.System.GetTimestamp();
        await Until.TrueAsync(() => IsRoutedAsync(node.Name), OneCluster.Limit, $"routes of the mesh on {node.Name}", Cancellation);
        var routed = TimeProvider.System.GetElapsedTime(runs);
        await SayAsync($"a new node has its routes {routed.TotalSeconds:0.0} s after its agent's pod was seen running");
        Assert.True(routed < TimeSpan.FromSeconds(5), $"routes took {routed.TotalSeconds:0.0} s");
        await adding;

        var (aurora, _) = await RunAsync("added", 1);
        var onEach = await EchoWorkload.ScaleAsync(Borealis, "added", Borealis.Nodes.Count(n => n.IsOn), Cancellation);
        var there = Assert.Single(onEach, p => p.Spec.NodeName == node.Name);
        await FetchBothWaysAsync(aurora[0], there);

        // Nobody puts a label on anything.
        var before = await GatewayNodesAsync();
        var lost = Borealis.Nodes.First(n => n.Name == before[0]);
        await lost.PowerOffAsync(Cancellation);
        IReadOnlyList<string> after = [];
        try
        {
            var off = TimeProvider.System.GetTimestamp();
            await Until.TrueAsync(
                async () => (after = await GatewayNodesAsync()).Count == 2 && !after.Contains(lost.Name) && await ConnectedGatewaysAsync() == 2,
                OneCluster.Limit, () => $"another node to be a gateway in the place of {lost.Name}; they are {string.Join(", ", after)}", Cancellation);
            await SayAsync($"another node is the gateway {TimeProvider.System.GetElapsedTime(off).TotalSeconds:0.0} s after the power cut");
            await FetchBothWaysAsync(aurora[0], there);
        }
        finally
        {
            await lost.PowerOnAsync(Cancellation);
            await Borealis.UntilReadyAsync(OneCluster.Limit, Cancellation);
        }

        // When it is back it is a node like others.
        var back = Assert.Single(await EchoWorkload.RunAsync(Borealis, "replaced", 1, Cancellation, lost.Name));
        await FetchBothWaysAsync(aurora[0], back);
        Assert.Equal(after, await GatewayNodesAsync());
    }

    [Fact]
    public async Task NetworkPolicies_judge_pods_of_the_other_cluster_by_their_own_addresses_on_gateways_and_workers()
    {
        const string space = "policies";
        var aurora = await EchoWorkload.RunAsync(Aurora, space, 1, Cancellation);
        var borealis = await EchoWorkload.RunAsync(Borealis, space, Borealis.Nodes.Count(n => n.IsOn), Cancellation);
        var (far, mesh) = (aurora[0], new V1NetworkPolicyPeer { IpBlock = new V1IPBlock { Cidr = $"{JoinedClusters.AuroraInMesh}.0.0/16" } });
        var policy = new PolicyOfPods(joined, space);
        await NetworkPolicies.EnforceAsync(joined.Mesh.Lab, Borealis, Cancellation);
        try
        {
            // Before, whatever is forwarded for the mesh is accepted first; from now on the engine's rules come first.
            await policy.EngineAsync("kube-router");
            foreach (var pod in borealis)
            {
                await JoinedClusters.FetchAsync(Aurora, far, $"{JoinedClusters.InMesh(pod)}:8080", Cancellation);
            }

            await policy.SetAsync("Ingress");
            Assert.False(await AnyAsync(borealis, p => PolicyOfPods.AnswersAsync(Aurora, far, JoinedClusters.InMesh(p).ToString())), "nobody is let in");
            await JoinedClusters.FetchAsync(Borealis, borealis[0], $"{JoinedClusters.InMesh(far)}:8080", Cancellation);

            await policy.SetAsync("Ingress", mesh);
            foreach (var pod in borealis)
            {
                await JoinedClusters.FetchAsync(Aurora, far, $"{JoinedClusters.InMesh(pod)}:8080", Cancellation);
            }

            Assert.False(await PolicyOfPods.AnswersAsync(Borealis, borealis[0], borealis[1].Status.PodIP), "only the other cluster is let in");

            await policy.SetAsync("Ingress", new V1NetworkPolicyPeer { PodSelector = new V1LabelSelector() });
            Assert.False(await AnyAsync(borealis, p => PolicyOfPods.AnswersAsync(Aurora, far, JoinedClusters.InMesh(p).ToString())), "only pods of the same namespace are let in");

            await policy.SetAsync("Egress", mesh);
            foreach (var pod in borealis)
            {
                await JoinedClusters.FetchAsync(Borealis, pod, $"{JoinedClusters.InMesh(far)}:8080", Cancellation);
            }

            Assert.False(await PolicyOfPods.AnswersAsync(Borealis, borealis[0], borealis[1].Status.PodIP), "only the other cluster may be asked");

            await policy.SetAsync("Egress", new V1NetworkPolicyPeer { PodSelector = new V1LabelSelector() });
            Assert.False(await AnyAsync(borealis, p => PolicyOfPods.AnswersAsync(Borealis, p, JoinedClusters.InMesh(far).ToString())), "only pods of the same namespace may be asked");
        }
        finally
        {
            await policy.ClearAsync();
            await NetworkPolicies.RemoveAsync(joined.Mesh.Lab, Borealis, Cancellation);
        }

        await policy.EngineAsync("none");
        await JoinedClusters.FetchAsync(Aurora, far, $"{JoinedClusters.InMesh(borealis[0])}:8080", Cancellation);

        static async Task<bool> AnyAsync(IEnumerable<V1Pod> pods, Func<V1Pod, Task<bool>> answers) => (await Task.WhenAll(pods.Select(answers))).Any(a => a);
    }

    [Fact]
    public async Task A_gateway_that_is_to_be_none_hands_over_to_another_node_and_goes_on_as_a_node_and_may_be_a_gateway_again()
    {
        var aurora = await EchoWorkload.RunAsync(Aurora, "hand-over", 1, Cancellation);
        var borealis = await EchoWorkload.RunAsync(Borealis, "hand-over", Borealis.Nodes.Count(n => n.IsOn), Cancellation);
        var first = (await GatewayNodesAsync())[0];
        var agents = await AgentsAsync();
        await HandOverAsync(first, aurora[0], borealis);

        // The same process goes on, and is a gateway again when its turn comes.
        var second = (await GatewayNodesAsync()).First(n => n != first);
        var others = Borealis.Nodes.Where(n => n.IsOn && n.Name != first && n.Name != second).Select(n => n.Name).ToList();
        foreach (var node in others)
        {
            await LabelAsync(node, "false");
        }

        try
        {
            await LabelAsync(first, null);
            await Until.TrueAsync(async () => (await GatewayNodesAsync()).Contains(first) && await ConnectedGatewaysAsync() == 2, OneCluster.Limit, $"{first} to be a gateway again", Cancellation);
            foreach (var pod in borealis)
            {
                await FetchBothWaysAsync(aurora[0], pod);
            }
        }
        finally
        {
            foreach (var node in others)
            {
                await LabelAsync(node, null);
            }
        }

        Assert.Equal(agents, await AgentsAsync());
    }

    /// <summary>Labels the gateway's node as none, and waits until another has taken its place. Packets to and from every node go on.</summary>
    async Task HandOverAsync(string gateway, V1Pod near, IReadOnlyList<V1Pod> far)
    {
        var streams = far.Select(pod => (pod.Spec.NodeName, Stream: PingStream.Start(Aurora.HostOf(near), JoinedClusters.InMesh(pod)))).ToList();
        try
        {
            await Until.TrueAsync(() => streams.TrueForAll(s => s.Stream.Answered > 50), OneCluster.Limit, "answers before the hand-over", Cancellation);
            await LabelAsync(gateway, "false");
            await Until.TrueAsync(async () => (await GatewayNodesAsync()) is { Count: 2 } now && !now.Contains(gateway) && await ConnectedGatewaysAsync() == 2, OneCluster.Limit, $"another node to be a gateway in the place of {gateway}", Cancellation);
            await Until.TrueAsync(async () => !(await joined.Mesh.Lab.ExecAsync(gateway, ["ip", "-br", "link"], Cancellation)).Output.Contains("mf0", StringComparison.Ordinal), OneCluster.Limit, $"{gateway} to have no tunnels", Cancellation);
            var answered = streams.ConvertAll(s => s.Stream.Answered);
            await Until.TrueAsync(() => !streams.Where((s, i) => s.Stream.Answered < answered[i] + 100).Any(), OneCluster.Limit, "answers after the hand-over", Cancellation);
            foreach (var (node, stream) in streams)
            {
                var report = await stream.StopAsync();
                await SayAsync($"a gateway hands over: {report.Lost} of {report.Sent} packets to {node} lost, longest gap {report.LongestGap.TotalSeconds:0.00} s");
                Assert.True(report.LongestGap < TimeSpan.FromSeconds(1), $"no answer from {node} for {report.LongestGap.TotalSeconds:0.00} s");
            }
        }
        finally
        {
            foreach (var (_, stream) in streams)
            {
                await stream.DisposeAsync();
            }
        }
    }

    /// <param name="value">Null takes the label off.</param>
    Task<V1Node> LabelAsync(string node, string? value)
    {
        var patch = JsonSerializer.Serialize(new { metadata = new { labels = new Dictionary<string, string?> { ["meshfabric.io/gateway"] = value } } });
        return Borealis.Client.CoreV1.PatchNodeAsync(new V1Patch(patch, V1Patch.PatchType.MergePatch), node);
    }

    /// <summary>Each agent's container and how often it was started, sorted.</summary>
    async Task<IReadOnlyList<string>> AgentsAsync()
    {
        var pods = await Borealis.Client.CoreV1.ListNamespacedPodAsync("meshfabric-system", cancellationToken: Cancellation);
        return [.. pods.Items.Where(p => p.Status.Phase == "Running").Select(p => $"{p.Metadata.Name} {p.Status.ContainerStatuses[0].RestartCount}").Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task Pods_are_reached_again_when_a_gateway_node_loses_power()
    {
        var (aurora, borealis) = await RunAsync("power-cut", 2);
        var gateways = await GatewayNodesAsync();
        var lost = Borealis.Nodes.First(n => n.Name == gateways[0]);
        var survivor = borealis.First(p => p.Spec.NodeName != lost.Name);
        await using var stream = PingStream.Start(Aurora.HostOf(aurora[0]), JoinedClusters.InMesh(survivor));
        await Until.TrueAsync(() => stream.Answered > 50, OneCluster.Limit, "answers before the power cut", Cancellation);
        await lost.PowerOffAsync(Cancellation);
        try
        {
            var before = stream.Answered;
            await Until.TrueAsync(() => stream.Answered > before + 200, OneCluster.Limit, "answers after the power cut", Cancellation);
            var report = await stream.StopAsync();
            await SayAsync($"a gateway's power cut: {report.Lost} of {report.Sent} packets lost, longest gap {report.LongestGap.TotalSeconds:0.00} s");

            // The gateway that is left carries what the other did, long before anybody takes its place.
            Assert.True(report.LongestGap < TimeSpan.FromSeconds(10), $"no answer for {report.LongestGap.TotalSeconds:0.0} s");
            foreach (var near in aurora)
            {
                await FetchBothWaysAsync(near, survivor);
            }
        }
        finally
        {
            await lost.PowerOnAsync(Cancellation);
            await Borealis.UntilReadyAsync(OneCluster.Limit, Cancellation);
        }

        // And when the power is back, pods of that node as well: new ones, for those from before are made anew whenever kubelet comes to it.
        var back = Assert.Single(await EchoWorkload.RunAsync(Borealis, "power-back", 1, Cancellation, lost.Name));
        await FetchBothWaysAsync(aurora[0], back);
    }

    async Task FetchBothWaysAsync(V1Pod aurora, V1Pod borealis)
    {
        await JoinedClusters.FetchAsync(Aurora, aurora, $"{JoinedClusters.InMesh(borealis)}:8080", Cancellation);
        await JoinedClusters.FetchAsync(Borealis, borealis, $"{JoinedClusters.InMesh(aurora)}:8080", Cancellation);
    }

    async Task<(IReadOnlyList<V1Pod> Aurora, IReadOnlyList<V1Pod> Borealis)> RunAsync(string space, int replicas)
    {
        var near = EchoWorkload.RunAsync(Aurora, space, replicas, Cancellation);
        var far = EchoWorkload.RunAsync(Borealis, space, replicas, Cancellation);
        return (await near, await far);
    }

    static Task SeenByUdpAsync(KubeCluster cluster, V1Pod from, V1Pod to) => Until.TrueAsync(
        async () => JoinedClusters.InMesh(from).Equals(await PodClient.SeenByContainerAsync(cluster.HostOf(from), JoinedClusters.InMesh(to), TimeSpan.FromSeconds(3), Cancellation)),
        OneCluster.Limit, $"{to.Metadata.Name} to see {from.Metadata.Name} by UDP as {JoinedClusters.InMesh(from)}", Cancellation);

    /// <summary>A node itself, as programs in the host's network ask: seen with an address that the far side can answer, its cluster's or its gateway's in the tunnels.</summary>
    async Task HostNetworkAsync(string node, V1Pod far)
    {
        IPAddress? seen = null;
        await Until.TrueAsync(
            async () => (seen = await PodClient.SeenAsAsync(joined.Mesh.Lab.Topology[node], JoinedClusters.InMesh(far), TimeSpan.FromSeconds(3), Cancellation))?.ToString() is { } text
                && (text.StartsWith(JoinedClusters.BorealisInMesh, StringComparison.Ordinal) || text.StartsWith("198.19.", StringComparison.Ordinal)),
            OneCluster.Limit, () => $"{node} itself to be seen by {far.Metadata.Name}; it is seen as {seen?.ToString() ?? "nobody"}", Cancellation);
    }

    /// <summary>Somebody on the internet asks a Service by a port of each node.</summary>
    async Task FromOutsideAsync(KubeCluster cluster, string space)
    {
        var service = await cluster.Client.CoreV1.PatchNamespacedServiceAsync(new V1Patch("""{"spec":{"type":"NodePort"}}""", V1Patch.PatchType.MergePatch), EchoWorkload.Name, space, cancellationToken: Cancellation);
        foreach (var node in cluster.Nodes.Where(n => n.IsOn))
        {
            var url = $"http://{joined.Mesh.Lab.Topology[node.Name].Address}:{service.Spec.Ports[0].NodePort}/";
            await Until.TrueAsync(async () => (await joined.Mesh.Lab.ExecAsync("control", ["curl", "-sf", "-m", "5", url], Cancellation)).ExitCode == 0, OneCluster.Limit, $"an answer from {url}", Cancellation);
        }
    }

    /// <summary>A Service without a selector whose endpoints are the far pods: all of them answer at its address, and see who asks.</summary>
    static async Task ImportAsync(KubeCluster cluster, string space, IReadOnlyList<V1Pod> askers, IReadOnlyList<V1Pod> far)
    {
        const string name = "imported";
        var service = await cluster.Client.CoreV1.CreateNamespacedServiceAsync(
            new V1Service { Metadata = new V1ObjectMeta { Name = name }, Spec = new V1ServiceSpec { Ports = [new V1ServicePort { Port = 80, TargetPort = 8080 }] } }, space, cancellationToken: Cancellation);
        await cluster.Client.CoreV1.CreateNamespacedEndpointsAsync(
            new V1Endpoints
            {
                Metadata = new V1ObjectMeta { Name = name },
                Subsets = [new V1EndpointSubset { Addresses = [.. far.Select(p => new V1EndpointAddress { Ip = JoinedClusters.InMesh(p).ToString() })], Ports = [new Corev1EndpointPort { Port = 8080 }] }],
            },
            space,
            cancellationToken: Cancellation);
        foreach (var asker in askers)
        {
            await AllAnswerAsync(cluster, asker, service.Spec.ClusterIP, far);
        }
    }

    /// <summary>A Service's address is answered by one that saw who asked, and by each of the far pods in its turn.</summary>
    static async Task AllAnswerAsync(KubeCluster cluster, V1Pod asker, string service, IReadOnlyList<V1Pod> far)
    {
        await JoinedClusters.FetchAsync(cluster, asker, service, Cancellation);
        var answered = new HashSet<string>();
        await Until.TrueAsync(
            async () =>
            {
                answered.Add((await cluster.ExecAsync(asker, EchoWorkload.Neighbour, ["mfecho", "get", $"http://{service}/host", "5"], Cancellation)).Output.Trim());
                return far.All(p => answered.Contains(p.Metadata.Name));
            },
            OneCluster.Limit,
            () => $"every far pod to answer {asker.Metadata.Name} at {service}; heard of {string.Join(", ", answered)}",
            Cancellation);
        // Whichever gateway the flow came by.
        for (var attempt = 0; attempt < 6; attempt++)
        {
            await JoinedClusters.FetchAsync(cluster, asker, service, Cancellation);
        }
    }

    Task<V1Node> CordonAsync(string node, bool cordoned) =>
        Borealis.Client.CoreV1.PatchNodeAsync(new V1Patch($$$"""{"spec":{"unschedulable":{{{(cordoned ? "true" : "null")}}}}}""", V1Patch.PatchType.MergePatch), node);

    async Task<bool> AgentRunsAsync(string node)
    {
        var pods = await Borealis.Client.CoreV1.ListNamespacedPodAsync("meshfabric-system", fieldSelector: $"spec.nodeName={node}", cancellationToken: Cancellation);
        return pods.Items.Any(p => p.Status.Phase == "Running");
    }

    /// <summary>Names of the nodes that are gateways, sorted.</summary>
    async Task<IReadOnlyList<string>> GatewayNodesAsync()
    {
        var list = (JsonElement)await Borealis.Client.CustomObjects.ListClusterCustomObjectAsync("meshfabric.io", "v1alpha1", "meshgateways", cancellationToken: Cancellation);
        return [.. list.GetProperty("items").EnumerateArray().Select(g => g.GetProperty("spec").GetProperty("node").GetString()!).Order(StringComparer.Ordinal)];
    }

    async Task<int> ConnectedGatewaysAsync()
    {
        using var cluster = JsonDocument.Parse(await joined.Mesh.MfctlAsync(Cancellation, "cluster", "get", "borealis", "-o", "json"));
        return cluster.RootElement.GetProperty("status").GetProperty("gatewaysConnected").GetInt32();
    }

    async Task<bool> IsRoutedAsync(string node)
    {
        var routes = await joined.Mesh.Lab.ExecAsync(node, ["ip", "-4", "route", "show", "table", "all"], Cancellation);
        return routes.Output.Contains($"{JoinedClusters.AuroraInMesh}.0.0/16 ", StringComparison.Ordinal);
    }

    static Task SayAsync(FormattableString text) => Console.Out.WriteLineAsync(FormattableString.Invariant(text));
}
