using System.Net;
using System.Net.Sockets;
using k8s;
using k8s.Autorest;
using k8s.Models;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>Permissions and refusals, against a real API server.</summary>
public sealed class KubernetesAccessTests(KubeApiServer server) : IClassFixture<KubeApiServer>, IDisposable
{
    readonly string _directory = Directory.CreateTempSubdirectory("mf-kube-access-").FullName;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_shipped_roles_are_enough_and_allow_nothing_more()
    {
        using var admin = server.Api.Client();
        foreach (var item in KubernetesYaml.LoadAllFromString(await File.ReadAllTextAsync(RolesFile(), Cancel)))
        {
            await CreateAsync(admin, item);
        }

        await admin.CreateNodeAsync(new NodeObject("allowed-1") { PodCidrs = ["10.9.0.0/24"] }, Cancel);
        await CreateAsync(admin, new V1ConfigMap { Metadata = new() { Name = "kubeadm-config", NamespaceProperty = "kube-system" }, Data = new Dictionary<string, string> { ["ClusterConfiguration"] = "networking:\n  podSubnet: 10.9.0.0/16\n" } });
        var kubeconfig = await TokenKubeconfigAsync(admin, "meshfabric", "meshfabric-agent");
        await using (var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = kubeconfig }))
        {
            var seen = await stream.UntilAsync(i => i.Nodes.Any(n => n.Name == "allowed-1"), Cancel);
            Assert.Equal("10.9.0.0/16", Assert.Single(seen.PodCidrs).ToString());
            Assert.Equal("10.96.0.0/16", Assert.Single(seen.ServiceCidrs).ToString());
            await admin.CreateNodeAsync(new NodeObject("allowed-2"), Cancel);
            await stream.UntilAsync(i => i.Nodes.Any(n => n.Name == "allowed-2"), Cancel);
            Assert.DoesNotContain(stream.Logged, l => l.StartsWith("Warning", StringComparison.Ordinal));
        }

        using var agent = new k8s.Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig));
        await ForbiddenAsync(() => agent.CoreV1.ListNamespacedSecretAsync("kube-system", cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.ReadNamespacedConfigMapAsync("extension-apiserver-authentication", "kube-system", cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.DeleteNodeAsync("allowed-1", cancellationToken: Cancel));
        await ForbiddenAsync(() => agent.CoreV1.CreateNamespacedServiceAsync(new V1Service { Metadata = new() { Name = "x" } }, "kube-system", cancellationToken: Cancel));
    }

    [Fact]
    public async Task A_missing_permission_is_named_with_the_rule_to_add()
    {
        using var admin = server.Api.Client();
        await CreateAsync(admin, new V1ServiceAccount { Metadata = new() { Name = "nobody", NamespaceProperty = "default" } });
        await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = await TokenKubeconfigAsync(admin, "default", "nobody") });
        await stream.UntilLoggedAsync("watch nodes (403): add this rule to its ClusterRole (deploy/kubernetes/inventory-rbac.yaml; of agents in pods: mfctl cluster join again, which brings it up to date): {apiGroups: [\"\"], resources: [nodes], verbs: [list, watch]}", Cancel);
        Assert.Empty(stream.Emitted);
    }

    [Fact]
    public async Task A_token_that_is_not_accepted_is_said_and_not_shown()
    {
        await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = Kubeconfig(server.Api.Server, "very-secret-token") });
        await stream.UntilLoggedAsync("does not accept the agent's credentials (401)", Cancel);
        Assert.DoesNotContain(stream.Logged, l => l.Contains("very-secret-token", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_API_that_cannot_be_reached_is_named_with_address_and_cause()
    {
        int port;
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = Kubeconfig($"https://127.0.0.1:{port}", "t") });
        await stream.UntilLoggedAsync($"127.0.0.1:{port} cannot be reached: Connection refused", Cancel);
    }

    [Fact]
    public void A_kubeconfig_that_cannot_be_used_is_refused_with_its_path()
    {
        var missing = Path.Combine(_directory, "missing");
        Assert.Contains($"there is no kubeconfig {missing}", Refusal(new KubernetesOptions { Kubeconfig = missing }), StringComparison.Ordinal);
        Assert.Contains("has no context 'other'; it has: private", Refusal(new KubernetesOptions { Kubeconfig = server.Api.Kubeconfig, Context = "other" }), StringComparison.Ordinal);
        var broken = Path.Combine(_directory, "broken");
        File.WriteAllText(broken, "clusters: {{ not yaml");
        Assert.Contains($"kubeconfig {broken} cannot be used", Refusal(new KubernetesOptions { Kubeconfig = broken }), StringComparison.Ordinal);
        Assert.Contains("this is not a pod with a service account", Refusal(new KubernetesOptions()), StringComparison.Ordinal);
    }

    static string Refusal(KubernetesOptions options) =>
        Assert.Throws<KubernetesInventoryException>(() => KubernetesInventorySource.Create(options, MeshFabric.Agent.Inventory.NoObservations.Instance, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance)).Message;

    static async Task ForbiddenAsync(Func<Task> act) =>
        Assert.Equal(HttpStatusCode.Forbidden, (await Assert.ThrowsAsync<HttpOperationException>(act)).Response.StatusCode);

    static Task CreateAsync(IKubernetes admin, object item) => item switch
    {
        V1Namespace o => admin.CoreV1.CreateNamespaceAsync(o, cancellationToken: Cancel),
        V1ServiceAccount o => admin.CoreV1.CreateNamespacedServiceAccountAsync(o, o.Metadata.NamespaceProperty, cancellationToken: Cancel),
        V1ConfigMap o => admin.CoreV1.CreateNamespacedConfigMapAsync(o, o.Metadata.NamespaceProperty, cancellationToken: Cancel),
        V1ClusterRole o => admin.RbacAuthorizationV1.CreateClusterRoleAsync(o, cancellationToken: Cancel),
        V1ClusterRoleBinding o => admin.RbacAuthorizationV1.CreateClusterRoleBindingAsync(o, cancellationToken: Cancel),
        V1Role o => admin.RbacAuthorizationV1.CreateNamespacedRoleAsync(o, o.Metadata.NamespaceProperty, cancellationToken: Cancel),
        V1RoleBinding o => admin.RbacAuthorizationV1.CreateNamespacedRoleBindingAsync(o, o.Metadata.NamespaceProperty, cancellationToken: Cancel),
        _ => throw new NotSupportedException($"inventory-rbac.yaml has a {item.GetType().Name}"),
    };

    async Task<string> TokenKubeconfigAsync(IKubernetes admin, string @namespace, string account)
    {
        var request = new Authenticationv1TokenRequest { Spec = new V1TokenRequestSpec { Audiences = [], ExpirationSeconds = 3600 } };
        var made = await admin.CoreV1.CreateNamespacedServiceAccountTokenAsync(request, account, @namespace, cancellationToken: Cancel);
        return Kubeconfig(server.Api.Server, made.Status.Token, @namespace);
    }

    string Kubeconfig(string url, string token, string @namespace = "default")
    {
        var path = Path.Combine(_directory, Path.GetRandomFileName());
        File.WriteAllText(path, $"""
            apiVersion: v1
            kind: Config
            current-context: c
            contexts: [{"{"}name: c, context: {"{"}cluster: c, user: u, namespace: {@namespace}{"}}"}]
            clusters: [{"{"}name: c, cluster: {"{"}server: "{url}", certificate-authority: "{server.Api.AuthorityFile}"{"}}"}]
            users: [{"{"}name: u, user: {"{"}token: "{token}"{"}}"}]
            """);
        return path;
    }

    static string RolesFile()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "MeshFabric.sln")))
        {
            directory = directory.Parent!;
        }

        return Path.Combine(directory.FullName, "deploy", "kubernetes", "inventory-rbac.yaml");
    }
}
