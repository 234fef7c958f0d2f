using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;
using MeshFabric.TestKit.Hosts;
using MeshFabric.WireGuard;

namespace MeshFabric.Host.Tests.WireGuard;

/// <summary>The device contract against the real wireguard-go, two hosts on a cable. Device names are unique on the machine: control sockets are found by path.</summary>
public sealed class UserspaceBackendTests : IAsyncLifetime
{
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    readonly string _unique = Guid.NewGuid().ToString("n")[..6];
    readonly string _logs = Directory.CreateTempSubdirectory("mft-wg-").FullName;
    readonly NetworkNamespace _left = new("left");
    readonly NetworkNamespace _right = new("right");
    readonly PrivateKey _leftKey = PrivateKey.Generate();
    readonly PrivateKey _rightKey = PrivateKey.Generate();
    readonly CancellationTokenSource _over = new(TimeSpan.FromSeconds(90));
    IWireGuardBackend _a = null!;
    IWireGuardBackend _b = null!;

    string A => $"wa{_unique}";
    string B => $"wb{_unique}";

    public ValueTask InitializeAsync()
    {
        NetworkNamespace.Cable(_left, "eth0", _right, "eth0");
        _left.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "eth0");
        _right.Run("ip", "addr", "add", "192.0.2.2/24", "dev", "eth0");
        (_a, _b) = (Open(_left), Open(_right));
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _a.DeleteAsync(A, CancellationToken.None);
        await _b.DeleteAsync(B, CancellationToken.None);
        _left.Dispose();
        _right.Dispose();
        _over.Dispose();
        Directory.Delete(_logs, recursive: true);
    }

    [Fact]
    public async Task A_device_is_made_once_and_found_again_by_a_new_process()
    {
        Assert.True(await _a.EnsureAsync(A, _over.Token));
        Assert.False(await _a.EnsureAsync(A, _over.Token));
        await _a.ConfigureAsync(A, Left(), _over.Token);
        var restarted = Open(_left);
        Assert.False(await restarted.EnsureAsync(A, _over.Token));
        Assert.Equal([A], await restarted.ListAsync(_over.Token));
        Assert.Equal(_leftKey.ToPublicKey(), (await restarted.ReadAsync(A, _over.Token)).PublicKey);
    }

    [Fact]
    public async Task What_is_configured_is_read_back_and_wanting_it_again_changes_nothing()
    {
        await _a.EnsureAsync(A, _over.Token);
        await _a.ConfigureAsync(A, Left(), _over.Token);
        var state = await _a.ReadAsync(A, _over.Token);
        Assert.Equal((51820, 0u), (state.ListenPort, state.FirewallMark));
        var peer = Assert.Single(state.Peers);
        Assert.Equal(Left().Peers[0].AllowedIps, peer.AllowedIps);
        Assert.Equal((Left().Peers[0].Endpoint, 25), (peer.Endpoint, peer.PersistentKeepaliveSeconds));
        Assert.True(DeviceChange.Between(state, Left(), null).IsEmpty);
    }

    [Fact]
    public async Task Two_devices_shake_hands_and_carry_IPv4_and_IPv6()
    {
        await ConnectAsync();
        await UntilAsync(async () => (await _a.ReadAsync(A, _over.Token)).Peers[0].LastHandshake is not null);
        Assert.True(await EchoAsync("198.19.0.2"));
        // By the route with the gateway that IPv6 ECMP needs: a tunnel takes no notice of it.
        Assert.True(await EchoAsync("fd19::2"));
        var peer = (await _a.ReadAsync(A, _over.Token)).Peers[0];
        Assert.True(peer.ReceivedBytes > 0 && peer.SentBytes > 0);
    }

    [Fact]
    public async Task A_repeated_configuration_keeps_a_roamed_endpoint_until_another_is_wanted()
    {
        await ConnectAsync();
        await UntilAsync(async () => (await _a.ReadAsync(A, _over.Token)).Peers[0].LastHandshake is not null);
        await _b.ConfigureAsync(B, Right(51999), _over.Token);
        // The right side moved: its next packet comes from another port.
        await UntilAsync(async () =>
        {
            _right.Try("ping", "-c", "1", "-W", "1", "198.19.0.1");
            return (await _a.ReadAsync(A, _over.Token)).Peers[0].Endpoint?.Port == 51999;
        });
        await _a.ConfigureAsync(A, Left(), _over.Token);
        var after = (await _a.ReadAsync(A, _over.Token)).Peers[0];
        Assert.Equal(51999, after.Endpoint?.Port);
        Assert.NotNull(after.LastHandshake);
        await _a.ConfigureAsync(A, Left() with { Peers = [Left().Peers[0] with { Endpoint = IPEndPoint.Parse("192.0.2.2:51777") }] }, _over.Token);
        Assert.Equal(51777, (await _a.ReadAsync(A, _over.Token)).Peers[0].Endpoint?.Port);
    }

    [Fact]
    public async Task Prefixes_move_between_peers_and_unwanted_peers_go()
    {
        var (one, two) = (PrivateKey.Generate().ToPublicKey(), PrivateKey.Generate().ToPublicKey());
        Cidr x = Cidr.Parse("10.1.0.0/16"), y = Cidr.Parse("10.2.0.0/16"), z = Cidr.Parse("fd10::/32");
        await _a.EnsureAsync(A, _over.Token);
        foreach (var (first, second) in new (Cidr[], Cidr[])[] { ([x, z], [y]), ([y], [x, z]), ([], [x, y, z]), ([x, y, z], []) })
        {
            await _a.ConfigureAsync(A, new DeviceConfig(_leftKey, 51820, 0, [Peer(one, first), Peer(two, second)]), _over.Token);
            var peers = (await _a.ReadAsync(A, _over.Token)).Peers.ToDictionary(p => p.PublicKey, p => p.AllowedIps);
            Assert.Equal(first, peers[one]);
            Assert.Equal(second, peers[two]);
        }

        await _a.ConfigureAsync(A, new DeviceConfig(_leftKey, 51820, 0, [Peer(two, [x])]), _over.Token);
        Assert.Equal(two, Assert.Single((await _a.ReadAsync(A, _over.Token)).Peers).PublicKey);
    }

    [Fact]
    public async Task A_thousand_peers_are_configured_and_read()
    {
        await _a.EnsureAsync(A, _over.Token);
        var wanted = new DeviceConfig(_leftKey, 51820, 0, Enumerable.Range(0, 1000)
            .Select(i => Peer(PrivateKey.Generate().ToPublicKey(), [Cidr.Parse($"10.{i / 256}.{i % 256}.0/24")])).ToValueList());
        await _a.ConfigureAsync(A, wanted, _over.Token);
        Assert.True(DeviceChange.Between(await _a.ReadAsync(A, _over.Token), wanted, wanted).IsEmpty);
    }

    [Theory]
    [InlineData("its process is killed")]
    [InlineData("its process no longer answers")]
    [InlineData("its link is deleted")]
    public async Task A_device_is_noticed_as_lost_and_made_again_when(string how)
    {
        await _a.EnsureAsync(A, _over.Token);
        await _a.ConfigureAsync(A, Left(), _over.Token);
        var pid = Assert.Single(_left.Processes());
        switch (how)
        {
            case "its process is killed":
                await Process.Start("kill", ["-KILL", pid]).WaitForExitAsync(_over.Token);
                break;
            case "its process no longer answers":
                await Process.Start("kill", ["-STOP", pid]).WaitForExitAsync(_over.Token);
                break;
            default:
                _left.Run("ip", "link", "del", A);
                break;
        }

        await UntilAsync(() => _a.EnsureAsync(A, _over.Token));
        await _a.ConfigureAsync(A, Left(), _over.Token);
        Assert.Single((await _a.ReadAsync(A, _over.Token)).Peers);
        using var netlink = RouteNetlink.Open(_left.Path);
        Assert.NotNull(netlink.FindLink(A));
    }

    [Fact]
    public async Task A_deleted_device_leaves_neither_link_nor_process_nor_socket()
    {
        await _a.EnsureAsync(A, _over.Token);
        await _a.DeleteAsync(A, _over.Token);
        await _a.DeleteAsync(A, _over.Token);
        Assert.Empty(await _a.ListAsync(_over.Token));
        Assert.Empty(_left.Processes());
        Assert.False(File.Exists($"/var/run/wireguard/{A}.sock"));
        var missing = await Assert.ThrowsAsync<WireGuardException>(() => _a.ReadAsync(A, _over.Token));
        Assert.Equal(WireGuardError.NotFound, missing.Reason);
    }

    [Fact]
    public async Task Devices_of_other_namespaces_are_neither_listed_nor_taken_nor_deleted()
    {
        await _b.EnsureAsync(B, _over.Token);
        Assert.Empty(await _a.ListAsync(_over.Token));
        var refused = await Assert.ThrowsAsync<WireGuardException>(() => _a.EnsureAsync(B, _over.Token));
        Assert.Contains("another network namespace", refused.Message, StringComparison.Ordinal);
        await _a.DeleteAsync(B, _over.Token);
        Assert.Equal([B], await _b.ListAsync(_over.Token));
    }

    [Fact]
    public async Task A_host_without_a_socket_directory_has_no_devices()
    {
        await using var fresh = WireGuardBackends.Open(BackendChoice.Userspace, new BackendOptions(_logs, Path.Combine(_logs, "missing"), _left.Path), TimeProvider.System);
        Assert.Empty(await fresh.ListAsync(_over.Token));
        await fresh.DeleteAsync(A, _over.Token);
    }

    IWireGuardBackend Open(NetworkNamespace host) => WireGuardBackends.Open(BackendChoice.Userspace, new BackendOptions(_logs, NamespacePath: host.Path), TimeProvider.System);

    DeviceConfig Left() => new(_leftKey, 51820, 0,
        [new PeerConfig(_rightKey.ToPublicKey(), null, IPEndPoint.Parse("192.0.2.2:51821"), 25, [Cidr.Parse("198.19.0.2/32"), Cidr.Parse("fd19::2/128")])]);

    DeviceConfig Right(int port) => new(_rightKey, port, 0,
        [new PeerConfig(_leftKey.ToPublicKey(), null, null, 0, [Cidr.Parse("198.19.0.1/32"), Cidr.Parse("fd19::1/128")])]);

    static PeerConfig Peer(PublicKey key, Cidr[] allowed) => new(key, null, null, 0, allowed.ToValueList());

    async Task ConnectAsync()
    {
        // The answering side first: an initiation that finds nobody is repeated only after 5 s.
        await SetUpAsync(_b, _right, B, Right(51821), ["198.19.0.2", "fd19::2"], ["198.19.0.1/32", "fd19::1/128"]);
        await SetUpAsync(_a, _left, A, Left(), ["198.19.0.1", "fd19::1"], ["198.19.0.2/32", "fd19::2/128"]);
    }

    async Task SetUpAsync(IWireGuardBackend backend, NetworkNamespace host, string device, DeviceConfig config, string[] addresses, string[] routes)
    {
        await backend.EnsureAsync(device, _over.Token);
        await backend.ConfigureAsync(device, config, _over.Token);
        using var netlink = RouteNetlink.Open(host.Path);
        var link = netlink.FindLink(device)!.Index;
        foreach (var address in addresses.Select(IPAddress.Parse))
        {
            netlink.AddAddress(new LinkAddress(link, address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128));
        }

        netlink.SetUp(link);
        netlink.ChangeRoutes(routes.Select(r => new DeviceRoute(Cidr.Parse(r), null, [link], 0, 77, 254)).ToList(), []);
    }

    // A datagram from left to right and back.
    async Task<bool> EchoAsync(string right)
    {
        var address = IPAddress.Parse(right);
        using var server = _right.Udp(address.AddressFamily);
        server.Bind(new IPEndPoint(address, 9300));
        using var client = _left.Udp(address.AddressFamily);
        await client.ConnectAsync(new IPEndPoint(address, 9300), _over.Token);
        await client.SendAsync("ping"u8.ToArray(), _over.Token);
        var buffer = new byte[16];
        var got = await server.ReceiveFromAsync(buffer, new IPEndPoint(address.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0), _over.Token);
        await server.SendToAsync(buffer.AsMemory(0, got.ReceivedBytes), got.RemoteEndPoint, _over.Token);
        return await client.ReceiveAsync(buffer, _over.Token) == 4;
    }

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
