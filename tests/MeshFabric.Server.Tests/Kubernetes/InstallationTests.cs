using System.Globalization;
using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Agent.Nodes;
using MeshFabric.Installation;
using MeshFabric.Net;
using Microsoft.Extensions.Logging.Abstractions;
using AgentApi = MeshFabric.Agent.Nodes.ClusterApi;
using ClusterApi = MeshFabric.Cli.Installing.ClusterApi;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>What is installed, on a real API server.</summary>
public sealed class InstallationTests(InstallApi server) : IClassFixture<InstallApi>
{
    static readonly InstallationSettings Settings = new("aurora", "meshfabric/agent:1") { Mesh = new string('a', 64), JoinToken = "mfj1_secret" };

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_applies_and_applying_it_again_changes_nothing()
    {
        using var api = ClusterApi.Open(server.Api.Kubeconfig, null);
        using var admin = server.Api.Client();
        await ApplyAsync(api);
        var first = await VersionsAsync(admin);

        await ApplyAsync(api);

        Assert.Equal(first, await VersionsAsync(admin));
        Assert.Equal(InstallationObjects.Of(Settings).Count, first.Count);
    }

    [Fact]
    public async Task The_agents_may_do_exactly_what_they_need()
    {
        using var api = ClusterApi.Open(server.Api.Kubeconfig, null);
        await ApplyAsync(api);
        using var admin = server.Api.Client();
        using var agent = await AgentAsync();
        await admin.CoreV1.CreateNamespacedServiceAccountAsync(new V1ServiceAccount { Metadata = new() { GenerateName = "nobody-", NamespaceProperty = "default" } }, "default", cancellationToken: Cancel);
        string[] everywhere =
        [
            "list nodes", "watch nodes", "list pods", "list daemonsets.apps",
            "get configmaps kubeadm-config", "get configmaps kube-proxy", "get configmaps kube-flannel-cfg", "get configmaps canal-config", "get configmaps calico-config", "get configmaps cilium-config",
            "list servicecidrs.networking.k8s.io",
            "list ippools.crd.projectcalico.org", "create ippools.crd.projectcalico.org", "delete ippools.crd.projectcalico.org",
            "list blockaffinities.crd.projectcalico.org", "get felixconfigurations.crd.projectcalico.org", "get installations.operator.tigera.io",
            .. new[] { "meshgateways", "meshnodes" }.SelectMany(r => new[] { "list", "watch", "create", "update" }.Select(v => $"{v} {r}.meshfabric.io")), "delete meshgateways.meshfabric.io",
        ];
        string[] own =
        [
            .. everywhere, .. new[] { "list", "create", "update" }.Select(v => $"{v} leases.coordination.k8s.io"),
        ];
        // What every service account has, ours or not.
        string[] anybody = ["create selfsubjectaccessreviews.authorization.k8s.io", "create selfsubjectrulesreviews.authorization.k8s.io"];

        Assert.Equal(Sorted(own, anybody), await RulesAsync(agent, InstallationNames.Namespace));
        Assert.Equal(Sorted(everywhere, anybody), await RulesAsync(agent, "kube-system"));
        Assert.Equal(Sorted(everywhere, anybody), await RulesAsync(agent, "default"));

        Assert.Equal(2, (await agent.CoreV1.ListNodeAsync(cancellationToken: Cancel)).Items.Count);
        await ForbiddenAsync(() => agent.CoreV1.ReadNamespacedSecretAsync(InstallationNames.JoinSecret, InstallationNames.Namespace, cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.ListSecretForAllNamespacesAsync(cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.ReadNamespacedConfigMapAsync("extension-apiserver-authentication", "kube-system", cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.CreateNamespacedPodAsync(new V1Pod { Metadata = new() { Name = "x" } }, InstallationNames.Namespace, cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.CreateNamespacedServiceAsync(new V1Service { Metadata = new() { Name = "x" } }, InstallationNames.Namespace, cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.DeleteNodeAsync("n1", cancellationToken: Cancel));
    }

    [Fact]
    public async Task The_custom_resources_hold_what_agents_write_and_drop_what_they_do_not_know()
    {
        using var api = ClusterApi.Open(server.Api.Kubeconfig, null);
        await ApplyAsync(api);
        using var admin = server.Api.Client();
        const string gateway = """
            {"apiVersion":"meshfabric.io/v1alpha1","kind":"MeshGateway","metadata":{"name":"gw1"},"spec":{"node":"n1",
            "overlay":{"vni":7710,"port":7712},"mtu":1420,"localPrefixes":["10.60.0.0/16"],"remotePrefixes":["10.61.0.0/16"],"tunnelAddresses":["198.18.0.1"],"unknown":1}}
            """;
        const string node = """
            {"apiVersion":"meshfabric.io/v1alpha1","kind":"MeshNode","metadata":{"name":"n1"},"status":{"address":"192.0.2.1","podPrefixes":["10.60.0.0/24"],"sources":["10.60.0.1"],"takenPorts":[7712],
            "observation":{"anything":{"goes":[1,"x"]}},"findings":[{"severity":"warning","code":"c","subject":"s","message":"m","hint":"h"}],"agentVersion":"1.0.0","left":false}}
            """;
        await CreateCustomAsync(admin, InstallationNames.Gateways, gateway);
        await CreateCustomAsync(admin, InstallationNames.Nodes, node);

        var spec = (await api.ListCustomAsync(InstallationNames.Gateways, Cancel)).Single().GetProperty("spec").ToString();
        var status = (await api.ListCustomAsync(InstallationNames.Nodes, Cancel)).Single().GetProperty("status").ToString();

        Assert.DoesNotContain("unknown", spec, StringComparison.Ordinal);
        Assert.All(new[] { "node", "overlay", "vni", "port", "mtu", "localPrefixes", "remotePrefixes", "tunnelAddresses" }, f => Assert.Contains($"\"{f}\":", spec, StringComparison.Ordinal));
        Assert.Contains("\"goes\":[1,\"x\"]", status, StringComparison.Ordinal);
        var refused = await Assert.ThrowsAsync<HttpOperationException>(() => CreateCustomAsync(admin, InstallationNames.Gateways, gateway.Replace("\"mtu\":1420", "\"mtu\":\"large\"", StringComparison.Ordinal).Replace("gw1", "gw2", StringComparison.Ordinal)));
        Assert.Contains("spec.mtu", refused.Response.Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_that_writes_again_before_it_heard_of_its_first_writing_is_not_refused()
    {
        using var api = ClusterApi.Open(server.Api.Kubeconfig, null);
        await ApplyAsync(api);
        using var admin = server.Api.Client();
        using var agent = new AgentApi(new NodeSettings("twice", InstallationNames.Namespace, server.Api.Kubeconfig, null, "", 2, 51820, [], false), TimeProvider.System, NullLogger<AgentApi>.Instance);
        Task WriteAsync(string address) => agent.WriteAsync(MeshNodeObject.Plural, new MeshNodeObject { Metadata = new V1ObjectMeta { Name = "twice" }, Status = new MeshNodeStatus { Address = address, AgentVersion = "1.0.0" } }, Cancel);

        await WriteAsync("192.0.2.1");
        await WriteAsync("192.0.2.2");

        var there = await admin.CustomObjects.GetClusterCustomObjectAsync<MeshNodeObject>(InstallationNames.Group, InstallationNames.GroupVersion, InstallationNames.Nodes, "twice", cancellationToken: Cancel);
        Assert.Equal("192.0.2.1", there.Status.Address);
        await DeleteCustomAsync(admin, "twice");
    }

    [Fact]
    public async Task A_node_that_left_and_one_without_an_address_can_say_so()
    {
        using var api = ClusterApi.Open(server.Api.Kubeconfig, null);
        await ApplyAsync(api);
        using var admin = server.Api.Client();
        var statuses = new Dictionary<string, MeshNodeStatus>
        {
            ["left"] = new() { Left = true, AgentVersion = "1.0.0" },
            ["nowhere"] = new() { Findings = [new FindingStatus("info", "code", "subject", "message", null)], AgentVersion = "1.0.0" },
        };
        foreach (var (name, status) in statuses)
        {
            await CreateCustomAsync(admin, InstallationNames.Nodes, KubernetesJson.Serialize(new MeshNodeObject { Metadata = new V1ObjectMeta { Name = name }, Status = status }));

            var there = await admin.CustomObjects.GetClusterCustomObjectAsync<MeshNodeObject>(InstallationNames.Group, InstallationNames.GroupVersion, InstallationNames.Nodes, name, cancellationToken: Cancel);
            Assert.True(MeshNodeStatus.Same(status, there.Status));
            await DeleteCustomAsync(admin, name);
        }
    }

    [Fact]
    public async Task With_these_rights_an_agent_keeps_the_mesh_in_Calicos_pools_and_takes_it_out()
    {
        using var api = ClusterApi.Open(server.Api.Kubeconfig, null);
        await ApplyAsync(api);
        using var admin = server.Api.Client();
        using var agent = await AgentAsync();
        // Without Calico there is nothing to do.
        await CalicoPools.ApplyAsync(agent, [Cidr.Parse("10.245.0.0/16")], Cancel);
        await CalicoKinds.DefineAsync(admin, Cancel);
        try
        {
            await CalicoKinds.CreatePoolAsync(admin, "default-ipv4-ippool", "192.168.0.0/16", Cancel);

            await CalicoPools.ApplyAsync(agent, [Cidr.Parse("10.245.0.0/16"), Cidr.Parse("10.246.0.0/28"), Cidr.Parse("fd10:2::/48")], Cancel);
            var first = await CalicoKinds.PoolsAsync(admin, Cancel);
            await CalicoPools.ApplyAsync(agent, [Cidr.Parse("10.246.0.0/28"), Cidr.Parse("10.247.0.0/16")], Cancel);
            var second = await CalicoKinds.PoolsAsync(admin, Cancel);
            await CalicoPools.ApplyAsync(agent, [], Cancel);
            var last = await CalicoKinds.PoolsAsync(admin, Cancel);

            Assert.Equal(["10.245.0.0/16 26", "10.246.0.0/28 28", "192.168.0.0/16 26", "fd10:2::/48 122"], Sorted(first.Values.Select(p => $"{p.GetProperty("cidr")} {p.GetProperty("blockSize")}")));
            Assert.Equal(["10.246.0.0/28", "10.247.0.0/16", "192.168.0.0/16"], Sorted(second.Values.Select(p => $"{p.GetProperty("cidr")}")));
            Assert.Equal(["default-ipv4-ippool"], last.Keys);
        }
        finally
        {
            await CalicoKinds.UndefineAsync(admin, Cancel);
        }
    }

    /// <summary>With the rights that agents in pods have.</summary>
    async Task<k8s.Kubernetes> AgentAsync() =>
        new(KubernetesClientConfiguration.BuildConfigFromConfigFile(await server.KubeconfigOfAsync(InstallationNames.Namespace, InstallationNames.Agent, Cancel)));

    static Task DeleteCustomAsync(IKubernetes admin, string node) =>
        admin.CustomObjects.DeleteClusterCustomObjectAsync(InstallationNames.Group, InstallationNames.GroupVersion, InstallationNames.Nodes, node, cancellationToken: Cancel);

    static async Task ApplyAsync(ClusterApi api)
    {
        foreach (var item in InstallationObjects.Of(Settings))
        {
            await api.ApplyAsync(item, Cancel);
            if (item is V1CustomResourceDefinition definition)
            {
                await TestKit.Until.TrueAsync(async () => (await api.FindAsync<V1CustomResourceDefinition>(definition.Metadata.Name, null, Cancel))?.Status?.Conditions?.Any(c => c is { Type: "Established", Status: "True" }) == true,
                    TimeSpan.FromSeconds(30), $"{definition.Metadata.Name} to be served", Cancel);
            }
        }
    }

    static Task CreateCustomAsync(IKubernetes admin, string plural, string json) =>
        admin.CustomObjects.CreateClusterCustomObjectAsync(JsonDocument.Parse(json).RootElement, InstallationNames.Group, InstallationNames.GroupVersion, plural, cancellationToken: Cancel);

    static async Task<IReadOnlyList<string>> VersionsAsync(IKubernetes admin)
    {
        var found = new List<string>();
        foreach (var item in InstallationObjects.Of(Settings))
        {
            var kind = item.GetType().GetKubernetesTypeMetadata();
            using var generic = new GenericClient(admin, kind.Group, kind.ApiVersion, kind.PluralName, disposeClient: false);
            var there = item.Metadata.NamespaceProperty is { } space ? await generic.ReadNamespacedAsync<AnyObject>(space, item.Metadata.Name, Cancel) : await generic.ReadAsync<AnyObject>(item.Metadata.Name, Cancel);
            // Controllers write the status of those that have a generation: it counts only what was asked for.
            found.Add($"{item.Kind} {item.Metadata.Name} {there.Metadata.Generation?.ToString(CultureInfo.InvariantCulture) ?? there.Metadata.ResourceVersion}");
        }

        return found;
    }

    static async Task<IReadOnlyList<string>> RulesAsync(IKubernetes agent, string @namespace)
    {
        var review = await agent.AuthorizationV1.CreateSelfSubjectRulesReviewAsync(new V1SelfSubjectRulesReview { Spec = new V1SelfSubjectRulesReviewSpec { NamespaceProperty = @namespace } }, cancellationToken: Cancel);
        Assert.False(review.Status.Incomplete);
        // What everybody may who is logged in: discovery, health, version.
        Assert.All(review.Status.NonResourceRules, r => Assert.Equal(["get"], r.Verbs));
        return Sorted(
            from rule in review.Status.ResourceRules
            from verb in rule.Verbs
            from apiGroup in rule.ApiGroups
            from resource in rule.Resources
            from name in rule.ResourceNames is { Count: > 0 } names ? names : [""]
            select $"{verb} {resource}{(apiGroup.Length > 0 ? "." : "")}{apiGroup} {name}".TrimEnd());
    }

    static IReadOnlyList<string> Sorted(params IEnumerable<string>[] rules) => [.. rules.SelectMany(r => r).Distinct().Order(StringComparer.Ordinal)];

    static async Task ForbiddenAsync(Func<Task> act) =>
        Assert.Equal(HttpStatusCode.Forbidden, (await Assert.ThrowsAsync<HttpOperationException>(act)).Response.StatusCode);

    sealed class AnyObject : IKubernetesObject
    {
        public string ApiVersion { get; set; } = "";
        public string Kind { get; set; } = "";
        public V1ObjectMeta Metadata { get; set; } = new();
    }
}
