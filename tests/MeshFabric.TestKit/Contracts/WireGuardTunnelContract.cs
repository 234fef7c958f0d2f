using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;
using MeshFabric.TestKit.Hosts;
using MeshFabric.WireGuard;

namespace MeshFabric.TestKit.Contracts;

/// <summary>What devices of a real implementation do with packets: two hosts on a cable.</summary>
public abstract class WireGuardTunnelContract : IAsyncLifetime
{
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    readonly string _unique = Guid.NewGuid().ToString("n")[..6];
    readonly PrivateKey _leftKey = PrivateKey.Generate();
    readonly PrivateKey _rightKey = PrivateKey.Generate();
    readonly CancellationTokenSource _over = new(TimeSpan.FromSeconds(90));
    NetworkNamespace _left = null!;
    NetworkNamespace _right = null!;
    IWireGuardBackend _a = null!;
    IWireGuardBackend _b = null!;

    string A => $"wa{_unique}";
    string B => $"wb{_unique}";

    protected abstract IWireGuardBackend Open(NetworkNamespace host);

    public virtual ValueTask InitializeAsync()
    {
        (_left, _right) = (new NetworkNamespace("left"), new NetworkNamespace("right"));
        NetworkNamespace.Cable(_left, "eth0", _right, "eth0");
        _left.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "eth0");
        _right.Run("ip", "addr", "add", "192.0.2.2/24", "dev", "eth0");
        (_a, _b) = (Open(_left), Open(_right));
        return ValueTask.CompletedTask;
    }

    public virtual async ValueTask DisposeAsync()
    {
        await _a.DeleteAsync(A, CancellationToken.None);
        await _b.DeleteAsync(B, CancellationToken.None);
        await _a.DisposeAsync();
        await _b.DisposeAsync();
        _left.Dispose();
        _right.Dispose();
        _over.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Two_devices_shake_hands_and_carry_IPv4_and_IPv6()
    {
        var before = TimeProvider.System.GetUtcNow();
        await ConnectAsync(Left(), Right());
        await HandshakeAsync();
        Assert.True(await EchoAsync("198.19.0.2"));
        // By the route with the gateway that IPv6 ECMP needs: a tunnel takes no notice of it.
        Assert.True(await EchoAsync("fd19::2"));
        var peer = await PeerOfAAsync();
        Assert.True(peer.ReceivedBytes > 0 && peer.SentBytes > 0);
        Assert.InRange(peer.LastHandshake!.Value, before.AddSeconds(-1), TimeProvider.System.GetUtcNow().AddSeconds(1));
    }

    [Fact]
    public async Task A_repeated_configuration_keeps_a_roamed_endpoint_until_another_is_wanted()
    {
        await ConnectAsync(Left(), Right());
        await HandshakeAsync();
        await _b.ConfigureAsync(B, Right() with { ListenPort = 51999 }, _over.Token);
        // The right side moved: its next packet comes from another port.
        await UntilAsync(async () =>
        {
            _right.Try("ping", "-c", "1", "-W", "1", "198.19.0.1");
            return (await PeerOfAAsync()).Endpoint?.Port == 51999;
        });
        await _a.ConfigureAsync(A, Left(), _over.Token);
        var after = await PeerOfAAsync();
        Assert.Equal(51999, after.Endpoint?.Port);
        Assert.NotNull(after.LastHandshake);
        await _a.ConfigureAsync(A, Left() with { Peers = [Left().Peers[0] with { Endpoint = IPEndPoint.Parse("192.0.2.2:51777") }] }, _over.Token);
        Assert.Equal(51777, (await PeerOfAAsync()).Endpoint?.Port);
    }

    [Fact]
    public async Task Other_peers_come_and_go_without_a_new_handshake()
    {
        await ConnectAsync(Left(), Right());
        await HandshakeAsync();
        var first = (await PeerOfAAsync()).LastHandshake;
        var others = Enumerable.Range(0, 200).Select(i => new PeerConfig(PrivateKey.Generate().ToPublicKey(), null, null, 0, [Cidr.Parse($"10.{i}.0.0/16")])).ToList();
        foreach (var wanted in new[] { Left() with { Peers = [.. others, .. Left().Peers] }, Left() })
        {
            await _a.ConfigureAsync(A, wanted, _over.Token);
            Assert.True(await EchoAsync("198.19.0.2"));
            Assert.Equal(first, (await PeerOfAAsync()).LastHandshake);
        }
    }

    [Fact]
    public async Task Peers_whose_preshared_keys_differ_do_not_shake_hands_until_they_are_the_same()
    {
        var preshared = PresharedKey.Generate();
        await ConnectAsync(With(Left(), preshared), With(Right(), PresharedKey.Generate()));
        // The right side heard the initiation; its answer is of no use to the left side.
        await UntilAsync(async () => (await _b.ReadAsync(B, _over.Token)).Peers[0].ReceivedBytes > 0);
        Assert.Null((await PeerOfAAsync()).LastHandshake);
        await _b.ConfigureAsync(B, With(Right(), preshared), _over.Token);
        await HandshakeAsync();
        Assert.True(await EchoAsync("198.19.0.2"));
    }

    DeviceConfig Left() => new(_leftKey, 51820, 0,
        [new PeerConfig(_rightKey.ToPublicKey(), null, IPEndPoint.Parse("192.0.2.2:51821"), 25, [Cidr.Parse("198.19.0.2/32"), Cidr.Parse("fd19::2/128")])]);

    DeviceConfig Right() => new(_rightKey, 51821, 0,
        [new PeerConfig(_leftKey.ToPublicKey(), null, null, 0, [Cidr.Parse("198.19.0.1/32"), Cidr.Parse("fd19::1/128")])]);

    static DeviceConfig With(DeviceConfig config, PresharedKey preshared) => config with { Peers = [config.Peers[0] with { PresharedKey = preshared }] };

    async Task<PeerState> PeerOfAAsync() => (await _a.ReadAsync(A, _over.Token)).Peers.Single(p => p.PublicKey == _rightKey.ToPublicKey());

    Task HandshakeAsync() => UntilAsync(async () => (await PeerOfAAsync()).LastHandshake is not null);

    async Task ConnectAsync(DeviceConfig left, DeviceConfig right)
    {
        // The answering side first: an initiation that finds nobody is repeated only after 5 s.
        await SetUpAsync(_b, _right, B, right, ["198.19.0.2", "fd19::2"], ["198.19.0.1/32", "fd19::1/128"]);
        await SetUpAsync(_a, _left, A, left, ["198.19.0.1", "fd19::1"], ["198.19.0.2/32", "fd19::2/128"]);
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
        netlink.ChangeRoutes(routes.Select(r => new DeviceRoute(Cidr.Parse(r), null, [new RouteHop(link)], 0, 77, 254)).ToList(), []);
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
