using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using k8s;
using k8s.Models;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Contracts.Http;
using MeshFabric.Installation;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Control;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary><c>mfctl cluster join</c> and <c>leave</c> with a real control service and a real API server; only kubelets and agents are stand-ins.</summary>
public sealed class InstallCommandTests(InstallApi server, PostgresServer postgres) : IClassFixture<InstallApi>, IAsyncLifetime
{
    ControlService _service = null!;
    Mfctl _mfctl = null!;
    IKubernetes _admin = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        _mfctl = new Mfctl(_service);
        _admin = server.Api.Client();
    }

    public async ValueTask DisposeAsync()
    {
        // Whatever the test left behind.
        await _mfctl.RunAsync("cluster", "leave", await InstalledAsync() ?? "nothing", "--kubeconfig", server.Api.Kubeconfig, "--offline", "--force", "--yes", "--timeout", "20s");
        _admin.Dispose();
        _mfctl.Dispose();
        await _service.DisposeAsync();
    }

    [Fact]
    public async Task A_cluster_joins_goes_on_when_it_is_asked_again_and_leaves_without_a_trace()
    {
        var before = await ClusterObjects.SettledAsync(_admin, Cancel);
        await using var agents = Agents("aurora");

        var joined = await JoinAsync("aurora");

        Assert.True(joined.Code == 0, joined.Error);
        Assert.Contains("[3/6] installing 10 objects into namespace meshfabric-system", joined.Error, StringComparison.Ordinal);
        Assert.Contains("2 of 2 nodes ready", joined.Error, StringComparison.Ordinal);
        Assert.Contains("2 of 2 gateway(s) connected", joined.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("mfj1_", joined.Error + joined.Out, StringComparison.Ordinal);
        Assert.Equal((2, "connected"), await StateAsync("aurora"));
        var again = await JoinAsync("aurora", "--image", "meshfabric/agent:2");
        Assert.True(again.Code == 0, again.Error);
        Assert.Contains("is good", again.Error, StringComparison.Ordinal);
        Assert.Equal("meshfabric/agent:2", (await _admin.AppsV1.ReadNamespacedDaemonSetAsync(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken: Cancel)).Spec.Template.Spec.Containers[0].Image);
        Assert.Equal(("active", 2), await TokenAsync());

        var left = await LeaveAsync("aurora");

        Assert.True(left.Code == 0, left.Error);
        Assert.Contains("2 of 2 nodes clean", left.Error, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await _service.Admin.GetAsync("/api/v1/clusters/aurora", Cancel)).StatusCode);
        Assert.Equal(("revoked", 2), await TokenAsync());
        Assert.Equal(before, await ClusterObjects.AllAsync(_admin, Cancel));
    }

    [Fact]
    public async Task Nodes_that_a_selector_names_are_labelled_as_gateways_until_the_cluster_leaves()
    {
        await _admin.CoreV1.PatchNodeAsync(new V1Patch("""{"metadata":{"labels":{"role":"edge"}}}""", V1Patch.PatchType.MergePatch), "n1", cancellationToken: Cancel);

        var none = await JoinAsync("aurora", "--no-wait", "--gateway-selector", "role=core");
        Assert.Equal(5, none.Code);
        Assert.Contains("no node of the cluster at", none.Error, StringComparison.Ordinal);
        await using var agents = Agents("aurora");
        var joined = await JoinAsync("aurora", "--gateway-selector", "role=edge");
        Assert.True(joined.Code == 0, joined.Error);
        Assert.Contains("[5/6] waiting until 1 gateway(s) are enrolled", joined.Error, StringComparison.Ordinal);
        Assert.Equal(["n1"], await LabelledAsync());
        Assert.Equal(0, (await LeaveAsync("aurora")).Code);
        Assert.Empty(await LabelledAsync());

        async Task<IReadOnlyList<string>> LabelledAsync() => [.. (await _admin.CoreV1.ListNodeAsync(labelSelector: "meshfabric.io/gateway", cancellationToken: Cancel)).Items.Select(n => n.Metadata.Name)];
    }

    [Fact]
    public async Task The_service_cidr_that_agents_may_not_ask_for_is_asked_for_by_whoever_installs_them()
    {
        Assert.Equal(0, (await JoinAsync("aurora", "--no-wait")).Code);
        Assert.Equal((null, "10.96.0.0/16"), await ToldAsync());
        Assert.Equal(0, (await JoinAsync("aurora", "--no-wait", "--service-cidr", "10.96.0.0/16", "--service-cidr", "fd96::/108")).Code);
        Assert.Equal(("10.96.0.0/16,fd96::/108", null), await ToldAsync());
        Assert.Equal(0, (await JoinAsync("aurora", "--no-wait")).Code);
        Assert.Equal(("10.96.0.0/16,fd96::/108", null), await ToldAsync());

        var bad = await JoinAsync("aurora", "--no-wait", "--service-cidr", "10.96.0.1/16");
        Assert.Equal(2, bad.Code);
        Assert.Contains("--service-cidr 10.96.0.1/16", bad.Error, StringComparison.Ordinal);
        Assert.DoesNotContain((await _admin.CoreV1.ListNamespacedServiceAsync("default", cancellationToken: Cancel)).Items, s => s.Metadata.Name.StartsWith("meshfabric", StringComparison.Ordinal));

        async Task<(string? Said, string? Answered)> ToldAsync()
        {
            var variables = (await _admin.AppsV1.ReadNamespacedDaemonSetAsync(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken: Cancel)).Spec.Template.Spec.Containers[0].Env;
            return (variables.SingleOrDefault(v => v.Name == InstallationNames.ServiceCidrsVariable)?.Value, variables.SingleOrDefault(v => v.Name == InstallationNames.AnsweredServiceCidrVariable)?.Value);
        }
    }

    [Fact]
    public async Task Gateways_beyond_the_number_that_is_asked_for_are_removed()
    {
        await using var agents = Agents("aurora");
        Assert.Equal(0, (await JoinAsync("aurora")).Code);

        var fewer = await JoinAsync("aurora", "--gateways", "1");

        Assert.True(fewer.Code == 0, fewer.Error);
        Assert.Contains("removing gw2: there are to be 1 gateway(s)", fewer.Error, StringComparison.Ordinal);
        Assert.Equal((1, "connected"), await StateAsync("aurora"));
    }

    [Fact]
    public async Task Pools_that_an_agent_has_left_in_Calico_are_deleted_and_others_are_not()
    {
        await CalicoKinds.DefineAsync(_admin, Cancel);
        try
        {
            await CalicoKinds.CreatePoolAsync(_admin, "default-ipv4-ippool", "192.168.0.0/16", Cancel);
            await CalicoPools.ApplyAsync(_admin, [Cidr.Parse("10.245.0.0/16")], Cancel);
            await using var agents = Agents("aurora");
            Assert.Equal(0, (await JoinAsync("aurora")).Code);

            var left = await LeaveAsync("aurora");

            Assert.True(left.Code == 0, left.Error);
            Assert.Equal(["default-ipv4-ippool"], (await CalicoKinds.PoolsAsync(_admin, Cancel)).Keys);
        }
        finally
        {
            await CalicoKinds.UndefineAsync(_admin, Cancel);
        }
    }

    [Fact]
    public async Task Without_the_control_service_a_cluster_leaves_all_the_same()
    {
        var before = await ClusterObjects.SettledAsync(_admin, Cancel);
        await using var agents = Agents("aurora");
        Assert.Equal(0, (await JoinAsync("aurora")).Code);
        _mfctl.LoseControl(_service);

        var left = await LeaveAsync("aurora");

        Assert.True(left.Code == 0, left.Error);
        Assert.Contains("127.0.0.1:9", left.Error, StringComparison.Ordinal);
        Assert.Contains("when it is back, mfctl cluster remove aurora", left.Error, StringComparison.Ordinal);
        Assert.Equal(before, await ClusterObjects.AllAsync(_admin, Cancel));
    }

    [Fact]
    public async Task A_node_that_does_not_get_clean_is_named_and_nothing_is_deleted_but_by_force()
    {
        await using var agents = Agents("aurora");
        Assert.Equal(0, (await JoinAsync("aurora")).Code);
        agents.Deaf = "n2";

        var late = await LeaveAsync("aurora", "--timeout", "10s");
        Assert.Equal(6, late.Code);
        Assert.Contains("not clean after 10s: n2", late.Error, StringComparison.Ordinal);
        Assert.NotNull(await InstalledAsync());

        var forced = await LeaveAsync("aurora", "--timeout", "20s", "--force");
        Assert.True(forced.Code == 0, forced.Error);
        Assert.Contains($"not clean: n2. When such a node comes back: kubectl --kubeconfig {server.Api.Kubeconfig} debug node/NODE --profile=sysadmin --image=meshfabric/agent:", forced.Error, StringComparison.Ordinal);
        Assert.Contains("meshfabric-agent leave --state /host/var/lib/meshfabric", forced.Error, StringComparison.Ordinal);
        Assert.Null(await InstalledAsync());
    }

    [Fact]
    public async Task A_leaving_that_was_broken_off_is_undone_by_joining_again()
    {
        await using (var agents = Agents("aurora"))
        {
            Assert.Equal(0, (await JoinAsync("aurora")).Code);
            agents.Deaf = "n2";
            Assert.Equal(6, (await LeaveAsync("aurora", "--timeout", "5s")).Code);
        }

        await using var anew = Agents("aurora");
        var joined = await JoinAsync("aurora");

        Assert.True(joined.Code == 0, joined.Error);
        Assert.Contains("its agents were told to leave: they are ended first", joined.Error, StringComparison.Ordinal);
        var container = (await _admin.AppsV1.ReadNamespacedDaemonSetAsync(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken: Cancel)).Spec.Template.Spec.Containers[0];
        Assert.DoesNotContain(container.Env, v => v.Name == InstallationNames.LeaveVariable);
        Assert.Equal((2, "connected"), await StateAsync("aurora"));
    }

    [Fact]
    public async Task A_forced_leaving_comes_to_its_end_though_nobody_says_that_the_pod_of_a_dead_node_has_ended()
    {
        var before = await ClusterObjects.SettledAsync(_admin, Cancel);
        await using var agents = Agents("aurora");
        Assert.Equal(0, (await JoinAsync("aurora")).Code);
        await CreatePodAsync("meshfabric-agent-dead", "n3", new() { [InstallationNames.NameLabel] = InstallationNames.Agent });
        await _admin.CoordinationV1.CreateNamespacedLeaseAsync(new V1Lease { Metadata = new() { Name = InstallationNames.LeasePrefix + "gw1" } }, InstallationNames.Namespace, cancellationToken: Cancel);

        var forced = await LeaveAsync("aurora", "--timeout", "20s", "--force");

        Assert.True(forced.Code == 0, forced.Error);
        Assert.Equal(before, await ClusterObjects.AllAsync(_admin, Cancel));
    }

    [Fact]
    public async Task A_namespace_that_Helm_made_and_nothing_runs_in_is_taken()
    {
        await _admin.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = InstallationNames.Namespace } }, cancellationToken: Cancel);
        var joined = await JoinAsync("aurora", "--no-wait");
        Assert.True(joined.Code == 0, joined.Error);
        Assert.Equal("aurora", await InstalledAsync());
    }

    [Fact]
    public async Task What_is_not_said_when_joining_again_stays_as_it_is()
    {
        Assert.Equal(0, (await JoinAsync("aurora", "--no-wait", "--gateways", "3", "--image", "registry.test/agent:1", "--pod-cidr", "10.60.0.0/16")).Code);
        Assert.Equal(0, (await JoinAsync("aurora", "--no-wait", "--image", "registry.test/agent:2")).Code);
        var container = (await _admin.AppsV1.ReadNamespacedDaemonSetAsync(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken: Cancel)).Spec.Template.Spec.Containers[0];
        Assert.Equal("registry.test/agent:2", container.Image);
        Assert.Equal(("3", "10.60.0.0/16"), (container.Env.Single(v => v.Name == InstallationNames.GatewaysVariable).Value, container.Env.Single(v => v.Name == InstallationNames.PodCidrsVariable).Value));
    }

    [Fact]
    public async Task Agents_that_do_not_come_up_are_6_and_it_goes_on_when_they_do()
    {
        var late = await JoinAsync("aurora", "--timeout", "10s");
        Assert.Equal(6, late.Code);
        Assert.Contains("cluster aurora is installed, but after 10s: 0 of 0 nodes ready", late.Error, StringComparison.Ordinal);
        Assert.Contains($"or undo: mfctl cluster leave aurora --kubeconfig {server.Api.Kubeconfig}", late.Error, StringComparison.Ordinal);

        await using var agents = Agents("aurora");
        var joined = await JoinAsync("aurora");

        Assert.True(joined.Code == 0, joined.Error);
        Assert.Contains("cluster aurora is there already: going on", joined.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_installation_that_fails_half_way_leaves_no_good_token_and_goes_on_once_it_is_mended()
    {
        await _admin.RbacAuthorizationV1.CreateClusterRoleAsync(new V1ClusterRole { Metadata = new() { Name = InstallationNames.Agent }, Rules = [new V1PolicyRule { ApiGroups = [""], Resources = ["nodes"], Verbs = ["get"] }] }, fieldManager: "somebody", cancellationToken: Cancel);

        var failed = await JoinAsync("aurora", "--no-wait");
        await _admin.RbacAuthorizationV1.DeleteClusterRoleAsync(InstallationNames.Agent, cancellationToken: Cancel);

        Assert.Equal(5, failed.Code);
        Assert.Contains("cluster aurora exists in the mesh, but its agents are not installed completely", failed.Error, StringComparison.Ordinal);
        Assert.Contains("ClusterRole meshfabric-agent", failed.Error, StringComparison.Ordinal);
        Assert.Contains("somebody", failed.Error, StringComparison.Ordinal);
        Assert.Contains("or undo: mfctl cluster leave aurora", failed.Error, StringComparison.Ordinal);
        Assert.Equal(("revoked", 0), await TokenAsync());
        var mended = await JoinAsync("aurora", "--no-wait");
        Assert.True(mended.Code == 0, mended.Error);
    }

    [Fact]
    public async Task Another_meshs_cluster_another_name_and_a_strangers_namespace_are_left_alone()
    {
        Assert.Equal(0, (await JoinAsync("aurora", "--no-wait")).Code);
        var named = await JoinAsync("borealis");
        var wrong = await LeaveAsync("borealis");
        await using (var other = await ControlService.StartAsync(postgres, Cancel))
        {
            using var elsewhere = new Mfctl(other);
            var foreign = await elsewhere.RunAsync("cluster", "join", "aurora", "--kubeconfig", server.Api.Kubeconfig);
            Assert.Equal(5, foreign.Code);
            Assert.Contains("belongs to another mesh", foreign.Error, StringComparison.Ordinal);
            Assert.Contains("mfctl cluster leave aurora --kubeconfig", foreign.Error, StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.NotFound, (await other.Admin.GetAsync("/api/v1/clusters/aurora", Cancel)).StatusCode);
        }

        Assert.Equal((5, 5), (named.Code, wrong.Code));
        Assert.Contains("is 'aurora' in the mesh, not 'borealis'", named.Error, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await _service.Admin.GetAsync("/api/v1/clusters/borealis", Cancel)).StatusCode);
        Assert.Equal(0, (await LeaveAsync("aurora")).Code);
        await _admin.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = InstallationNames.Namespace } }, cancellationToken: Cancel);
        await CreatePodAsync("somebodys", null, []);
        var strange = await JoinAsync("aurora");
        Assert.Equal(5, strange.Code);
        Assert.Contains("namespace meshfabric-system that is not MeshFabric's", strange.Error, StringComparison.Ordinal);
        await _admin.CoreV1.DeleteNamespaceAsync(InstallationNames.Namespace, cancellationToken: Cancel);
        // As nothing runs there, nobody says that it ended.
        await TestKit.Until.TrueAsync(async () => await InstalledAsync() is null, TimeSpan.FromSeconds(30), "the namespace to go", Cancel);
    }

    [Fact]
    public async Task A_name_that_other_gateways_have_is_refused_before_anything_is_installed()
    {
        Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(null, 1, Cancel), "aurora", "gw1", null, Cancel)).StatusCode);

        var joined = await JoinAsync("aurora");
        var left = await LeaveAsync("aurora");

        Assert.Equal((5, 5), (joined.Code, left.Code));
        Assert.Contains("there is a cluster 'aurora' already, with 1 gateway(s)", joined.Error, StringComparison.Ordinal);
        Assert.Contains("is it the right --kubeconfig and --kube-context?", left.Error, StringComparison.Ordinal);
        Assert.Null(await InstalledAsync());
        Assert.Equal((1, "unreachable"), await StateAsync("aurora"));
    }

    [Fact]
    public async Task Who_may_not_install_is_told_all_that_is_missing()
    {
        var account = (await _admin.CoreV1.CreateNamespacedServiceAccountAsync(new V1ServiceAccount { Metadata = new() { GenerateName = "viewer-" } }, "default", cancellationToken: Cancel)).Metadata.Name;
        await _admin.RbacAuthorizationV1.CreateClusterRoleBindingAsync(new V1ClusterRoleBinding
        {
            Metadata = new() { Name = account },
            RoleRef = new V1RoleRef { ApiGroup = "rbac.authorization.k8s.io", Kind = "ClusterRole", Name = "system:aggregate-to-view" },
            Subjects = [new Rbacv1Subject { Kind = "ServiceAccount", Name = account, NamespaceProperty = "default" }],
        }, cancellationToken: Cancel);
        await _admin.RbacAuthorizationV1.CreateClusterRoleAsync(new V1ClusterRole { Metadata = new() { Name = account }, Rules = [new V1PolicyRule { ApiGroups = ["apiextensions.k8s.io"], Resources = ["customresourcedefinitions"], Verbs = ["get"] }] }, cancellationToken: Cancel);
        await _admin.RbacAuthorizationV1.CreateClusterRoleBindingAsync(new V1ClusterRoleBinding
        {
            Metadata = new() { Name = account + "-crds" },
            RoleRef = new V1RoleRef { ApiGroup = "rbac.authorization.k8s.io", Kind = "ClusterRole", Name = account },
            Subjects = [new Rbacv1Subject { Kind = "ServiceAccount", Name = account, NamespaceProperty = "default" }],
        }, cancellationToken: Cancel);

        var refused = await _mfctl.RunAsync("cluster", "join", "aurora", "--kubeconfig", await server.KubeconfigOfAsync("default", account, Cancel));

        Assert.Equal(4, refused.Code);
        Assert.Contains("patch daemonsets.apps in meshfabric-system", refused.Error, StringComparison.Ordinal);
        Assert.Contains("create customresourcedefinitions.apiextensions.k8s.io", refused.Error, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await _service.Admin.GetAsync("/api/v1/clusters/aurora", Cancel)).StatusCode);
    }

    [Fact]
    public async Task An_API_that_is_not_there_or_does_not_know_you_and_a_wrong_context_are_told_apart()
    {
        int port;
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        var away = await _mfctl.RunAsync("cluster", "join", "aurora", "--kubeconfig", server.Kubeconfig($"https://127.0.0.1:{port}", "t"));
        var stranger = await _mfctl.RunAsync("cluster", "join", "aurora", "--kubeconfig", server.Kubeconfig(server.Api.Server, "very-secret-token"));
        var context = await JoinAsync("aurora", "--kube-context", "other");
        var nothing = await LeaveAsync("aurora");

        Assert.Equal((7, 4, 2, 3), (away.Code, stranger.Code, context.Code, nothing.Code));
        Assert.Contains($"127.0.0.1:{port} cannot be reached: Connection refused", away.Error, StringComparison.Ordinal);
        Assert.Contains("does not accept the credentials", stranger.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("very-secret-token", stranger.Error, StringComparison.Ordinal);
        Assert.Contains("has no context 'other'; it has: private", context.Error, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await _service.Admin.GetAsync("/api/v1/clusters/aurora", Cancel)).StatusCode);
    }

    /// <summary>A pod that nobody runs: one with a node stays, once it is deleted, until that node's kubelet says that it has ended.</summary>
    async Task CreatePodAsync(string name, string? node, Dictionary<string, string> labels)
    {
        var account = new V1ServiceAccount { Metadata = new() { Name = "pods" }, AutomountServiceAccountToken = false };
        await _admin.CoreV1.CreateNamespacedServiceAccountAsync(account, InstallationNames.Namespace, cancellationToken: Cancel);
        var pod = new V1Pod { Metadata = new() { Name = name, Labels = labels }, Spec = new() { NodeName = node, ServiceAccountName = account.Metadata.Name, AutomountServiceAccountToken = false, Containers = [new V1Container { Name = "c", Image = "none" }] } };
        await _admin.CoreV1.CreateNamespacedPodAsync(pod, InstallationNames.Namespace, cancellationToken: Cancel);
    }

    StandInAgents Agents(string cluster) => new(server.Api.Client(), _service, cluster, "n1", "n2");

    Task<(int Code, string Out, string Error)> JoinAsync(string name, params string[] more) =>
        _mfctl.RunAsync(["cluster", "join", name, "--kubeconfig", server.Api.Kubeconfig, .. more]);

    Task<(int Code, string Out, string Error)> LeaveAsync(string name, params string[] more) =>
        _mfctl.RunAsync(["cluster", "leave", name, "--kubeconfig", server.Api.Kubeconfig, "--yes", .. more]);

    /// <summary>The cluster's name on our namespace; null when there is none.</summary>
    async Task<string?> InstalledAsync()
    {
        var space = (await _admin.CoreV1.ListNamespaceAsync(cancellationToken: Cancel)).Items.SingleOrDefault(n => n.Metadata.Name == InstallationNames.Namespace);
        return space is null ? null : space.Metadata.Annotations?.TryGetValue(InstallationNames.ClusterAnnotation, out var cluster) == true ? cluster : "";
    }

    async Task<(int Gateways, string State)> StateAsync(string cluster)
    {
        var status = (await _service.Admin.GetFromJsonAsync<ClusterResource>($"/api/v1/clusters/{cluster}", MeshJson.Options, Cancel))!.Status;
        return (status.Gateways, status.State);
    }

    async Task<(string State, int Uses)> TokenAsync()
    {
        var token = Assert.Single((await _service.Admin.GetFromJsonAsync<Page<JoinTokenResource>>("/api/v1/join-tokens", MeshJson.Options, Cancel))!.Items);
        return (token.Status.State, token.Status.Uses);
    }
}
