using MeshFabric.TestKit.Contracts;
using MeshFabric.TestKit.Hosts;
using MeshFabric.WireGuard;

namespace MeshFabric.Host.Tests.WireGuard;

public sealed class UserspaceTunnelTests : WireGuardTunnelContract
{
    readonly string _logs = Directory.CreateTempSubdirectory("mft-wg-").FullName;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_logs, recursive: true);
    }

    protected override IWireGuardBackend Open(NetworkNamespace host) =>
        WireGuardBackends.Open(BackendChoice.Userspace, new BackendOptions(_logs, NamespacePath: host.Path), TimeProvider.System);
}
