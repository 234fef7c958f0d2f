using k8s;
using k8s.Models;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>An API server with controllers, so that a deleted namespace goes, and two nodes.</summary>
public sealed class InstallApi : IAsyncLifetime
{
    readonly string _directory = Directory.CreateTempSubdirectory("mf-install-").FullName;

    public PrivateKubeApi Api { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Api = await PrivateKubeApi.StartAsync(KubeApiServer.Options() with { PodCidr = "10.60.0.0/16" }, TestContext.Current.CancellationToken);
        using var admin = Api.Client();
        foreach (var node in new[] { "n1", "n2" })
        {
            await admin.CreateNodeAsync(new NodeObject(node), TestContext.Current.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Api.DeleteAsync(CancellationToken.None);
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>A kubeconfig of a service account.</summary>
    public async Task<string> KubeconfigOfAsync(string @namespace, string account, CancellationToken cancellationToken)
    {
        using var admin = Api.Client();
        var request = new Authenticationv1TokenRequest { Spec = new V1TokenRequestSpec { Audiences = [], ExpirationSeconds = 3600 } };
        var made = await admin.CoreV1.CreateNamespacedServiceAccountTokenAsync(request, account, @namespace, cancellationToken: cancellationToken);
        return Kubeconfig(Api.Server, made.Status.Token);
    }

    public string Kubeconfig(string url, string token)
    {
        var path = Path.Combine(_directory, Path.GetRandomFileName());
        File.WriteAllText(path, $$"""
            apiVersion: v1
            kind: Config
            current-context: c
            contexts: [{name: c, context: {cluster: c, user: u} }]
            clusters: [{name: c, cluster: {server: "{{url}}", certificate-authority: "{{Api.AuthorityFile}}"} }]
            users: [{name: u, user: {token: "{{token}}"} }]
            """);
        return path;
    }
}
