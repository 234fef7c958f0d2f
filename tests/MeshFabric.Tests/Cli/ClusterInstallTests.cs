using System.Text.Json;
using k8s;
using k8s.Models;
using MeshFabric.Cli.Commands;
using MeshFabric.Cli.Installing;
using MeshFabric.Installation;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Cli;

/// <summary>What needs no cluster; the rest is tried on a real API server.</summary>
public sealed class ClusterInstallTests
{
    [Fact]
    public async Task A_dry_run_prints_what_would_be_applied_without_the_token_and_asks_nobody()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var yaml = await mfctl.LineAsync("cluster join aurora --kubeconfig /nowhere --gateways 3 --image registry.test/agent:1 --dry-run=client -o yaml");
        var json = await mfctl.LineAsync("cluster join aurora --kubeconfig /nowhere --dry-run=client -o json");
        var table = await mfctl.LineAsync("cluster join aurora --kubeconfig /nowhere --dry-run");

        Assert.True(yaml.Code == 0, $"{yaml}");
        var agents = Assert.Single(KubernetesYaml.LoadAllFromString(yaml.Out).OfType<V1DaemonSet>());
        Assert.Equal("registry.test/agent:1", agents.Spec.Template.Spec.Containers[0].Image);
        Assert.Equal(9, JsonDocument.Parse(json.Out).RootElement.GetProperty("items").GetArrayLength());
        Assert.DoesNotContain("kind: Secret", yaml.Out, StringComparison.Ordinal);
        Assert.Contains("mfctl token create --cluster aurora --standing | kubectl", yaml.Error, StringComparison.Ordinal);
        Golden.Check(table.Out, "golden/output/cluster-join-dry-run.txt");
        Assert.Empty(mesh.Requests);
    }

    [Theory]
    [InlineData("cluster join plant --kubeconfig f --pod-cidr 10.0.0.1/16", "--pod-cidr 10.0.0.1/16: ")]
    [InlineData("cluster join plant --kubeconfig f --inventory x.yaml", "--inventory is for gateways outside pods")]
    [InlineData("cluster join plant --kubeconfig f --via ssh", "--via is for gateways outside pods")]
    [InlineData("cluster join plant --kubeconfig f --kind site", "not a site: leave --kind out")]
    [InlineData("cluster join plant --kubeconfig f --gateways 9", "--gateways 9: a number from 1 to 8 is needed")]
    [InlineData("cluster join plant --kubeconfig f --gateways 0", "--gateways 0: a number from 1 to 8 is needed")]
    [InlineData("cluster join plant --gateway gw1 --gateway-selector role=edge", "--gateway-selector is for agents that run as pods")]
    [InlineData("cluster join plant --kubeconfig f --dry-run=server", "--dry-run server: write --dry-run or --dry-run=client")]
    [InlineData("cluster join plant --kubeconfig /nowhere", "there is no kubeconfig /nowhere")]
    [InlineData("cluster join plant --gateway gw1 --image x", "--image is for agents that run as pods: add --kubeconfig FILE")]
    [InlineData("cluster join plant --gateways 2", "--gateways is for agents that run as pods")]
    [InlineData("cluster join plant --kube-context c --gateway gw1", "add --kubeconfig FILE")]
    [InlineData("cluster leave plant --kubeconfig f --via ssh", "--via is for gateways outside pods")]
    [InlineData("cluster leave plant --offline", "--offline needs the cluster's own API: add --kubeconfig FILE")]
    [InlineData("cluster leave plant --force", "--force belongs to --kubeconfig")]
    [InlineData("cluster leave plant --kubeconfig /nowhere", "there is no kubeconfig /nowhere")]
    public async Task What_cannot_be_installed_is_told_before_anything_is_asked(string line, string message)
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync(line);

        Assert.True(ran.Code == 2, $"{ran}");
        Assert.Contains(message, ran.Error, StringComparison.Ordinal);
        Assert.Empty(mesh.Requests);
    }

    [Fact]
    public void Agents_are_ready_when_the_newest_of_them_are_on_every_node()
    {
        Assert.True(AgentsReady.Of(DaemonSet(generation: 2, observed: 2, wanted: 3, ready: 3, updated: 3), [], []).All);
        Assert.False(AgentsReady.Of(DaemonSet(generation: 3, observed: 2, wanted: 3, ready: 3, updated: 3), [], []).All);
        Assert.False(AgentsReady.Of(DaemonSet(generation: 2, observed: 2, wanted: 3, ready: 3, updated: 1), [], []).All);
        Assert.Equal("2 of 3 nodes ready", $"{AgentsReady.Of(DaemonSet(generation: 2, observed: 2, wanted: 3, ready: 2, updated: 3), [], [])}");
        Assert.False(AgentsReady.Of(new V1DaemonSet { Metadata = new V1ObjectMeta() }, [], []).All);
    }

    [Fact]
    public void An_agent_that_cannot_run_is_named_with_its_node_and_the_reason()
    {
        V1Pod Pod(string node, V1ContainerState state, bool ready = false) => new()
        {
            Metadata = new V1ObjectMeta { Name = $"meshfabric-agent-{node}" },
            Spec = new V1PodSpec { NodeName = node },
            Status = new V1PodStatus { ContainerStatuses = [new V1ContainerStatus { Ready = ready, State = state }] },
        };
        var troubles = AgentsReady.Of(DaemonSet(1, 1, 4, 1, 4),
        [
            Pod("n1", new V1ContainerState { Waiting = new V1ContainerStateWaiting { Reason = "ImagePullBackOff", Message = "no such image" } }),
            Pod("n2", new V1ContainerState { Waiting = new V1ContainerStateWaiting { Reason = "ContainerCreating" } }),
            Pod("n3", new V1ContainerState { Running = new V1ContainerStateRunning() }),
            Pod("n4", new V1ContainerState { Running = new V1ContainerStateRunning() }, ready: true),
        ], []).Troubles;

        Assert.Equal(["node n1: ImagePullBackOff: no such image", "node n3: the agent runs and is not ready: kubectl -n meshfabric-system logs meshfabric-agent-n3"], troubles);
    }

    [Fact]
    public void A_node_that_is_down_is_named_and_not_waited_for()
    {
        var pod = new V1Pod { Metadata = new V1ObjectMeta { Name = "meshfabric-agent-n2" }, Spec = new V1PodSpec { NodeName = "n2" } };
        var agents = AgentsReady.Of(DaemonSet(generation: 1, observed: 1, wanted: 2, ready: 1, updated: 2), [pod], [Node("n1"), Node("n2", ready: false)]);
        Assert.True(agents.All);
        Assert.Equal(["node n2 is not ready: its pods join the mesh when it is"], agents.Troubles);
    }

    [Fact]
    public void Who_joins_again_to_change_one_thing_leaves_the_others_as_they_are()
    {
        var installed = new InstallationSettings("aurora", "registry.test/agent:1") { Gateways = 3, ListenPort = 51900, MetricsPort = 9999, PodCidrs = ["10.1.0.0/16", "fd10::/48"], ServiceCidrs = ["10.96.0.0/16", "fd96::/108"], CniConfigDirectory = "/opt/cni" };
        var agents = InstallationObjects.Of(installed).OfType<V1DaemonSet>().Single();
        var defaults = new InstallationSettings("aurora", "meshfabric/agent:2");

        var kept = InstalledAgents.Keep(agents, defaults, GivenSettings.None);
        Assert.Equal(($"{installed}", 51900, 9999, "/opt/cni"), ($"{kept}", kept.ListenPort, kept.MetricsPort, kept.CniConfigDirectory));
        Assert.Equal(installed.PodCidrs, kept.PodCidrs);
        Assert.Equal(installed.ServiceCidrs, kept.ServiceCidrs);

        var changed = InstalledAgents.Keep(agents, defaults with { Gateways = 2 }, GivenSettings.All);
        Assert.Equal(("meshfabric/agent:2", 2), (changed.Image, changed.Gateways));
        Assert.Empty(changed.PodCidrs);
        Assert.Empty(changed.ServiceCidrs);
        Assert.Same(defaults, InstalledAgents.Keep(null, defaults, GivenSettings.None));
    }

    [Fact]
    public void The_products_own_image_follows_the_commands_version()
    {
        var agents = InstallationObjects.Of(new InstallationSettings("aurora", "meshfabric/agent:1")).OfType<V1DaemonSet>().Single();
        Assert.Equal("meshfabric/agent:2", InstalledAgents.Keep(agents, new InstallationSettings("aurora", "meshfabric/agent:2"), GivenSettings.None).Image);
    }

    [Fact]
    public void Gateways_are_the_labelled_nodes_when_there_are_any()
    {
        V1Node[] nodes = [Node("n1"), Node("n2", unschedulable: true), Node("n3", ready: false), Node("n4")];
        Assert.Equal(2, GatewayNodes.Candidates(nodes));
        Assert.Equal(1, GatewayNodes.Candidates([.. nodes, Node("n5", unschedulable: true, labels: "meshfabric.io/gateway=true")]));
        // Who labelled a node wants no other, not even while it is down.
        Assert.Equal(0, GatewayNodes.Candidates([.. nodes, Node("n6", ready: false, labels: "meshfabric.io/gateway=true"), Node("n7", labels: "node-role.kubernetes.io/control-plane=")]));
        Assert.Equal(1, GatewayNodes.Candidates([Node("n7", labels: "node-role.kubernetes.io/control-plane="), Node("n8", labels: "meshfabric.io/gateway=false")]));
    }

    [Fact]
    public void A_leaving_cluster_waits_for_each_node_that_is_there_and_where_an_agent_ran()
    {
        V1Pod Running(string node, string phase = "Running") => new() { Spec = new V1PodSpec { NodeName = node }, Status = new V1PodStatus { Phase = phase } };
        var reports = new[] { """{"metadata":{"name":"n1"},"status":{"left":true}}""", """{"metadata":{"name":"n2"},"status":{"left":false}}""", """{"metadata":{"name":"n3"}}""", """{"metadata":{"name":"gone"},"status":{}}""" }
            .Select(t => JsonDocument.Parse(t).RootElement).ToList();

        var nodes = AgentNodes.Of(["n1", "n2", "n3", "n4", "n5"], [Running("n1"), Running("n4"), Running("n5", "Pending")], reports);

        Assert.Equal(["n1"], nodes.Left);
        Assert.Equal(["n2", "n3", "n4"], nodes.Waiting);
    }

    static V1DaemonSet DaemonSet(long generation, long observed, int wanted, int ready, int updated) => new()
    {
        Metadata = new V1ObjectMeta { Generation = generation },
        Status = new V1DaemonSetStatus { ObservedGeneration = observed, DesiredNumberScheduled = wanted, NumberReady = ready, UpdatedNumberScheduled = updated },
    };

    static V1Node Node(string name, bool ready = true, bool unschedulable = false, string? labels = null) => new()
    {
        Metadata = new V1ObjectMeta { Name = name, Labels = labels?.Split(',').ToDictionary(l => l.Split('=')[0], l => l.Split('=')[1]) },
        Spec = new V1NodeSpec { Unschedulable = unschedulable ? true : null },
        Status = new V1NodeStatus { Conditions = [new V1NodeCondition { Type = "Ready", Status = ready ? "True" : "False" }] },
    };
}
