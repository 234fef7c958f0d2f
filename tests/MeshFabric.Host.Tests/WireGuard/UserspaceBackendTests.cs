using System.Diagnostics;
using MeshFabric.Netlink.Route;
using MeshFabric.TestKit.Contracts;
using MeshFabric.TestKit.Hosts;
using MeshFabric.WireGuard;

namespace MeshFabric.Host.Tests.WireGuard;

/// <summary>The device contract against the real wireguard-go, and what only processes can do.</summary>
public sealed class UserspaceBackendTests : WireGuardBackendContract
{
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    readonly string _logs = Directory.CreateTempSubdirectory("mft-wg-").FullName;

    NetworkNamespace Namespace => ((NamespaceHost)Host).Namespace;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_logs, recursive: true);
    }

    protected override IContractHost NewHost(string label) => new NamespaceHost(label, host => Open(host.Path));

    [Theory]
    [InlineData("its process is killed")]
    [InlineData("its process no longer answers")]
    [InlineData("its link is deleted")]
    public async Task A_device_is_noticed_as_lost_and_made_again_when(string how)
    {
        await Backend.EnsureAsync(Device, Over);
        await Backend.ConfigureAsync(Device, Config(Peer(1)), Over);
        var pid = Assert.Single(Namespace.Processes());
        switch (how)
        {
            case "its process is killed":
                await Process.Start("kill", ["-KILL", pid]).WaitForExitAsync(Over);
                break;
            case "its process no longer answers":
                await Process.Start("kill", ["-STOP", pid]).WaitForExitAsync(Over);
                break;
            default:
                Namespace.Run("ip", "link", "del", Device);
                break;
        }

        await UntilAsync(() => Backend.EnsureAsync(Device, Over));
        await Backend.ConfigureAsync(Device, Config(Peer(1)), Over);
        Assert.Single((await Backend.ReadAsync(Device, Over)).Peers);
        using var netlink = RouteNetlink.Open(Namespace.Path);
        Assert.NotNull(netlink.FindLink(Device));
    }

    [Fact]
    public async Task A_deleted_device_leaves_neither_process_nor_socket()
    {
        await Backend.EnsureAsync(Device, Over);
        await Backend.DeleteAsync(Device, Over);
        Assert.Empty(Namespace.Processes());
        Assert.False(File.Exists($"/var/run/wireguard/{Device}.sock"));
    }

    [Fact]
    public async Task A_device_of_another_namespace_is_not_taken()
    {
        await using var elsewhere = NewHost("right");
        await using var other = elsewhere.Open();
        var theirs = $"{Device}x";
        await other.EnsureAsync(theirs, Over);
        var refused = await Assert.ThrowsAsync<WireGuardException>(() => Backend.EnsureAsync(theirs, Over));
        Assert.Contains("another network namespace", refused.Message, StringComparison.Ordinal);
        await other.DeleteAsync(theirs, Over);
    }

    [Fact]
    public async Task A_host_without_a_socket_directory_has_no_devices()
    {
        await using var fresh = WireGuardBackends.Open(BackendChoice.Userspace, new BackendOptions(_logs, Path.Combine(_logs, "missing"), Namespace.Path), TimeProvider.System);
        Assert.Empty(await fresh.ListAsync(Over));
        await fresh.DeleteAsync(Device, Over);
    }

    IWireGuardBackend Open(string path) => WireGuardBackends.Open(BackendChoice.Userspace, new BackendOptions(_logs, NamespacePath: path), TimeProvider.System);

    static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Soon, "the condition did not come true in time");
            await Task.Delay(20);
        }
    }
}
