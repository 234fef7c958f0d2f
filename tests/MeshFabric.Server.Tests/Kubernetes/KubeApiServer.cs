using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>One API server for all tests that do not harm it; those that do start their own.</summary>
public sealed class KubeApiServer : IAsyncLifetime
{
    public PrivateKubeApi Api { get; private set; } = null!;

    public static PrivateKubeApiOptions Options() => new(Path.Combine(Path.GetTempPath(), "mf-kube-" + Path.GetRandomFileName()));

    public async ValueTask InitializeAsync() => Api = await PrivateKubeApi.StartAsync(Options(), TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync() => await Api.DeleteAsync(CancellationToken.None);
}
