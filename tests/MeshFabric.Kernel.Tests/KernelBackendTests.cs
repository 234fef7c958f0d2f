using MeshFabric.Net;
using MeshFabric.Netlink.Route;
using MeshFabric.TestKit.Contracts;
using MeshFabric.TestKit.Hosts;
using MeshFabric.WireGuard;
using MeshFabric.WireGuard.Linux;

namespace MeshFabric.Kernel.Tests;

/// <summary>The device contract against the kernel's own WireGuard, and what only the kernel does.</summary>
public sealed class KernelBackendTests : WireGuardBackendContract
{
    NetworkNamespace Namespace => ((NamespaceHost)Host).Namespace;

    protected override IContractHost NewHost(string label) => new NamespaceHost(label, Kernel.Open);

    [Fact]
    public async Task The_kernels_implementation_is_chosen_by_itself()
    {
        await using var chosen = WireGuardBackends.Open(BackendChoice.Auto, new BackendOptions("/nowhere", NamespacePath: Namespace.Path), TimeProvider.System);
        Assert.Equal("kernel", chosen.Name);
        Assert.IsType<KernelBackend>(chosen);
    }

    [Fact]
    public void A_namespace_that_does_not_exist_is_told()
    {
        var failed = Assert.Throws<WireGuardException>(() => WireGuardBackends.Open(BackendChoice.Kernel, new BackendOptions("/nowhere", NamespacePath: "/run/netns/missing"), TimeProvider.System));
        Assert.Contains("/run/netns/missing", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_the_kernel_does_not_take_is_refused()
    {
        var refused = await Assert.ThrowsAsync<WireGuardException>(() => Backend.EnsureAsync("sixteen-letters-", Over));
        Assert.Equal(WireGuardError.Refused, refused.Reason);
    }

    [Fact]
    public async Task The_same_name_is_another_device_in_another_namespace()
    {
        await using var elsewhere = NewHost("right");
        await using var other = elsewhere.Open();
        Assert.True(await Backend.EnsureAsync(Device, Over));
        Assert.True(await other.EnsureAsync(Device, Over));
        await other.ConfigureAsync(Device, Config(Peer(1)) with { ListenPort = 51999 }, Over);
        Assert.Empty((await Backend.ReadAsync(Device, Over)).Peers);
        await Backend.DeleteAsync(Device, Over);
        Assert.Equal([Device], await other.ListAsync(Over));
    }

    [Fact]
    public async Task A_listen_port_of_another_device_is_refused_once_both_are_up()
    {
        var second = $"{Device}x";
        foreach (var device in new[] { Device, second })
        {
            await Backend.EnsureAsync(device, Over);
            using var netlink = RouteNetlink.Open(Namespace.Path);
            netlink.SetUp(netlink.FindLink(device)!.Index);
        }

        await Backend.ConfigureAsync(Device, Config(), Over);
        var refused = await Assert.ThrowsAsync<WireGuardException>(() => Backend.ConfigureAsync(second, Config() with { PrivateKey = PrivateKey.Generate() }, Over));
        Assert.Equal(WireGuardError.Refused, refused.Reason);
        Assert.Contains($"configuring {second}: Address already in use", refused.Message, StringComparison.Ordinal);
        await Backend.ConfigureAsync(second, Config() with { ListenPort = 51999 }, Over);
    }

    [Fact]
    public async Task What_another_program_changed_is_put_right()
    {
        await Backend.EnsureAsync(Device, Over);
        var wanted = Config(Peer(1, "10.1.0.0/16", "fd01::/48"), Peer(2, "10.2.0.0/16"));
        await Backend.ConfigureAsync(Device, wanted, Over);
        var before = await Backend.ReadAsync(Device, Over);
        await using var other = Host.Open();
        await other.ConfigureAsync(Device, Config(Peer(2, "10.1.0.0/16"), Peer(9, "10.9.0.0/16")), Over);
        await Backend.ConfigureAsync(Device, wanted, Over);
        Assert.Equal(before, await Backend.ReadAsync(Device, Over));
    }
}

public sealed class KernelTunnelTests : WireGuardTunnelContract
{
    protected override IWireGuardBackend Open(NetworkNamespace host) => Kernel.Open(host);
}

static class Kernel
{
    public static IWireGuardBackend Open(NetworkNamespace host) =>
        WireGuardBackends.Open(BackendChoice.Kernel, new BackendOptions("/nowhere", NamespacePath: host.Path), TimeProvider.System);
}
