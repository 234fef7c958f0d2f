using System.Net;
using System.Security.Cryptography;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.TestKit.Contracts;

/// <summary>One host of the contract: network namespace, or memory.</summary>
public interface IContractHost : IAsyncDisposable
{
    /// <summary>A new backend, as after a restart.</summary>
    IWireGuardBackend Open();

    /// <summary>Adds a link that is no WireGuard device.</summary>
    void AddForeignLink(string name);

    bool HasLink(string name);
}

/// <summary>What every implementation of <see cref="IWireGuardBackend"/> does with devices. Compiled into each suite that has an implementation to hold to it.</summary>
public abstract class WireGuardBackendContract : IAsyncLifetime
{
    const int Port = 51820;
    readonly PrivateKey _key = PrivateKey.Generate();
    readonly CancellationTokenSource _over = new(TimeSpan.FromSeconds(90));

    /// <summary>Device names are unique on the machine: control sockets of userspace processes are found by path.</summary>
    protected string Device { get; } = $"wa{Guid.NewGuid().ToString("n")[..6]}";

    protected IContractHost Host { get; private set; } = null!;

    protected IWireGuardBackend Backend { get; private set; } = null!;

    protected CancellationToken Over => _over.Token;

    protected abstract IContractHost NewHost(string label);

    public virtual ValueTask InitializeAsync()
    {
        Host = NewHost("left");
        Backend = Host.Open();
        return ValueTask.CompletedTask;
    }

    public virtual async ValueTask DisposeAsync()
    {
        await Backend.DeleteAsync(Device, CancellationToken.None);
        await Backend.DisposeAsync();
        await Host.DisposeAsync();
        _over.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_device_is_made_once_and_found_again_by_a_new_process()
    {
        Assert.True(await Backend.EnsureAsync(Device, Over));
        Assert.False(await Backend.EnsureAsync(Device, Over));
        await Backend.ConfigureAsync(Device, Config(Peer(1)), Over);
        await using var restarted = Host.Open();
        Assert.False(await restarted.EnsureAsync(Device, Over));
        Assert.Equal([Device], await restarted.ListAsync(Over));
        Assert.Equal(await Backend.ReadAsync(Device, Over), await restarted.ReadAsync(Device, Over));
    }

    [Fact]
    public async Task A_new_device_has_neither_key_nor_peers()
    {
        await Backend.EnsureAsync(Device, Over);
        Assert.Equal(new DeviceState(Device, null, 0, 0, []), await Backend.ReadAsync(Device, Over) with { ListenPort = 0 });
    }

    [Fact]
    public async Task What_is_configured_is_read_back_and_wanting_it_again_changes_nothing()
    {
        await Backend.EnsureAsync(Device, Over);
        var wanted = new DeviceConfig(_key, Port, 0x77,
        [
            Peer(1, "10.1.0.0/16", "fd01::/48") with { Endpoint = IPEndPoint.Parse("192.0.2.1:51821"), PersistentKeepaliveSeconds = 25 },
            Peer(2, "0.0.0.0/0", "::/0") with { Endpoint = IPEndPoint.Parse("[2001:db8::2]:65535"), PersistentKeepaliveSeconds = 65_535, PresharedKey = PresharedKey.Generate() },
            Peer(3),
            Peer(4, "10.1.2.3/32", "fd01::1/128", "10.0.0.0/8"),
        ]);
        await Backend.ConfigureAsync(Device, wanted, Over);
        var state = await Backend.ReadAsync(Device, Over);
        AssertIs(wanted, state);
        Assert.True(DeviceChange.Between(state, wanted, null).IsEmpty);
        await Backend.ConfigureAsync(Device, wanted, Over);
        await using var restarted = Host.Open();
        await restarted.ConfigureAsync(Device, wanted, Over);
        Assert.Equal(state, await Backend.ReadAsync(Device, Over));
    }

    [Fact]
    public async Task Values_of_the_device_and_of_one_peer_change_and_the_rest_stays()
    {
        await Backend.EnsureAsync(Device, Over);
        var (one, two) = (Peer(1, "10.1.0.0/16") with { Endpoint = IPEndPoint.Parse("192.0.2.1:1"), PersistentKeepaliveSeconds = 5 }, Peer(2, "10.2.0.0/16"));
        foreach (var wanted in new[]
        {
            Config(one, two),
            Config(one, two) with { ListenPort = Port + 1, FirewallMark = uint.MaxValue },
            Config(one, two) with { PrivateKey = PrivateKey.Generate() },
            Config(one with { Endpoint = IPEndPoint.Parse("[2001:db8::1]:2") }, two),
            Config(one with { Endpoint = IPEndPoint.Parse("192.0.2.1:3"), PersistentKeepaliveSeconds = 0 }, two),
            Config(two),
            Config(),
        })
        {
            await Backend.ConfigureAsync(Device, wanted, Over);
            AssertIs(wanted, await Backend.ReadAsync(Device, Over));
        }
    }

    [Fact]
    public async Task An_endpoint_that_is_not_wanted_stays_as_it_is()
    {
        await Backend.EnsureAsync(Device, Over);
        await Backend.ConfigureAsync(Device, Config(Peer(1) with { Endpoint = IPEndPoint.Parse("192.0.2.1:1") }), Over);
        await Backend.ConfigureAsync(Device, Config(Peer(1)), Over);
        Assert.Equal(IPEndPoint.Parse("192.0.2.1:1"), Assert.Single((await Backend.ReadAsync(Device, Over)).Peers).Endpoint);
    }

    [Fact]
    public async Task A_preshared_key_is_set_and_taken_away()
    {
        await Backend.EnsureAsync(Device, Over);
        foreach (var preshared in new[] { null, PresharedKey.Generate(), PresharedKey.Generate(), null })
        {
            await Backend.ConfigureAsync(Device, Config(Peer(1) with { PresharedKey = preshared }), Over);
            Assert.Equal(preshared, Assert.Single((await Backend.ReadAsync(Device, Over)).Peers).PresharedKey);
        }
    }

    [Fact]
    public async Task Prefixes_move_between_peers_and_unwanted_peers_go()
    {
        string x = "10.1.0.0/16", y = "10.2.0.0/16", z = "fd10::/32";
        await Backend.EnsureAsync(Device, Over);
        foreach (var (first, second) in new (string[], string[])[] { ([x, z], [y]), ([y], [x, z]), ([], [x, y, z]), ([x, y, z], []), ([x], []), ([x, y], [z]), ([z], [x]) })
        {
            var wanted = Config(Peer(1, first), Peer(2, second));
            await Backend.ConfigureAsync(Device, wanted, Over);
            AssertIs(wanted, await Backend.ReadAsync(Device, Over));
        }

        await Backend.ConfigureAsync(Device, Config(Peer(2, x)), Over);
        AssertIs(Config(Peer(2, x)), await Backend.ReadAsync(Device, Over));
    }

    [Fact]
    public async Task A_thousand_peers_are_configured_read_and_taken_away()
    {
        await Backend.EnsureAsync(Device, Over);
        var wanted = Config(Enumerable.Range(0, 1000).Select(i => Peer(1000 + i, $"10.{i / 256}.{i % 256}.0/24", $"fd10:{i + 1:x}::/32")).ToArray());
        await Backend.ConfigureAsync(Device, wanted, Over);
        AssertIs(wanted, await Backend.ReadAsync(Device, Over));
        var half = wanted with { Peers = wanted.Peers.Where((_, i) => i % 2 == 0).ToValueList() };
        await Backend.ConfigureAsync(Device, half, Over);
        AssertIs(half, await Backend.ReadAsync(Device, Over));
        await Backend.ConfigureAsync(Device, Config(), Over);
        Assert.Empty((await Backend.ReadAsync(Device, Over)).Peers);
    }

    [Fact]
    public async Task One_peer_has_thousands_of_prefixes_that_move_to_another()
    {
        // 28 bytes each in netlink, 40 for IPv6: three times what one message can hold.
        var many = Enumerable.Range(0, 3000).Select(i => $"10.{i / 256}.{i % 256}.0/24").Concat(Enumerable.Range(0, 2000).Select(i => $"fd10:{i + 1:x}::/32")).ToArray();
        await Backend.EnsureAsync(Device, Over);
        foreach (var wanted in new[]
        {
            Config(Peer(1, "192.0.2.0/24"), Peer(2, many), Peer(3, "198.51.100.0/24")),
            Config(Peer(1, "192.0.2.0/24"), Peer(2, many[1..]), Peer(3, "198.51.100.0/24")),
            Config(Peer(1, many), Peer(2, "192.0.2.0/24"), Peer(3, "198.51.100.0/24")),
            Config(Peer(1, many[..1]), Peer(2), Peer(3, many[1..])),
            Config(Peer(1, many[..1])),
        })
        {
            await Backend.ConfigureAsync(Device, wanted, Over);
            var state = await Backend.ReadAsync(Device, Over);
            AssertIs(wanted, state);
            Assert.True(DeviceChange.Between(state, wanted, wanted).IsEmpty);
        }
    }

    [Fact]
    public async Task Calls_at_the_same_time_do_not_disturb_each_other()
    {
        await Backend.EnsureAsync(Device, Over);
        var wanted = Config(Enumerable.Range(1, 50).Select(i => Peer(i, $"10.{i}.0.0/16")).ToArray());
        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() => (i % 3) switch
        {
            0 => Backend.ConfigureAsync(Device, wanted, Over),
            1 => Backend.ReadAsync(Device, Over),
            _ => Backend.ListAsync(Over),
        }, Over)));
        AssertIs(wanted, await Backend.ReadAsync(Device, Over));
    }

    [Fact]
    public async Task A_deleted_device_is_gone_and_a_new_one_of_its_name_is_blank()
    {
        await Backend.EnsureAsync(Device, Over);
        var wanted = Config(Peer(1, "10.1.0.0/16") with { Endpoint = IPEndPoint.Parse("192.0.2.1:1"), PresharedKey = PresharedKey.Generate() });
        await Backend.ConfigureAsync(Device, wanted, Over);
        await Backend.DeleteAsync(Device, Over);
        await Backend.DeleteAsync(Device, Over);
        Assert.Empty(await Backend.ListAsync(Over));
        Assert.False(Host.HasLink(Device));
        Assert.True(await Backend.EnsureAsync(Device, Over));
        Assert.Empty((await Backend.ReadAsync(Device, Over)).Peers);
        // All of it anew, also what was wanted before.
        await Backend.ConfigureAsync(Device, wanted, Over);
        AssertIs(wanted, await Backend.ReadAsync(Device, Over));
    }

    [Fact]
    public async Task A_device_that_does_not_exist_is_neither_read_nor_configured()
    {
        Assert.Equal(WireGuardError.NotFound, (await Assert.ThrowsAsync<WireGuardException>(() => Backend.ReadAsync(Device, Over))).Reason);
        Assert.Equal(WireGuardError.NotFound, (await Assert.ThrowsAsync<WireGuardException>(() => Backend.ConfigureAsync(Device, Config(), Over))).Reason);
        Assert.False(Host.HasLink(Device));
    }

    [Fact]
    public async Task A_link_that_is_no_device_of_ours_is_refused_and_left_alone()
    {
        Host.AddForeignLink(Device);
        var refused = await Assert.ThrowsAsync<WireGuardException>(() => Backend.EnsureAsync(Device, Over));
        Assert.Equal(WireGuardError.Refused, refused.Reason);
        Assert.StartsWith($"a link named {Device} exists already", refused.Message, StringComparison.Ordinal);
        Assert.Empty(await Backend.ListAsync(Over));
        Assert.Equal(WireGuardError.NotFound, (await Assert.ThrowsAsync<WireGuardException>(() => Backend.ReadAsync(Device, Over))).Reason);
        await Backend.DeleteAsync(Device, Over);
        Assert.True(Host.HasLink(Device));
    }

    [Fact]
    public async Task Devices_of_other_hosts_are_neither_listed_nor_deleted()
    {
        await using var elsewhere = NewHost("right");
        await using var other = elsewhere.Open();
        var theirs = $"{Device}x";
        await other.EnsureAsync(theirs, Over);
        Assert.Empty(await Backend.ListAsync(Over));
        await Backend.DeleteAsync(theirs, Over);
        Assert.Equal([theirs], await other.ListAsync(Over));
        await other.DeleteAsync(theirs, Over);
    }

    [Fact]
    public async Task A_cancelled_call_does_nothing()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Backend.EnsureAsync(Device, new CancellationToken(canceled: true)));
        Assert.False(Host.HasLink(Device));
    }

    protected DeviceConfig Config(params PeerConfig[] peers) => new(_key, Port, 0, peers.ToValueList());

    /// <summary>A peer whose key is made of its number: any 32 bytes are a public key.</summary>
    protected static PeerConfig Peer(int number, params string[] allowed) =>
        new(new PublicKey(SHA256.HashData(BitConverter.GetBytes(number))), null, null, 0, allowed.Select(Cidr.Parse).ToValueList());

    static void AssertIs(DeviceConfig wanted, DeviceState state)
    {
        Assert.Equal((wanted.PrivateKey.ToPublicKey(), wanted.ListenPort, wanted.FirewallMark), (state.PublicKey, state.ListenPort, state.FirewallMark));
        Assert.Equal(
            wanted.Peers.OrderBy(p => p.PublicKey).Select(p => (p.PublicKey, p.PresharedKey, p.Endpoint, p.PersistentKeepaliveSeconds, p.AllowedIps.Order().ToValueList())),
            state.Peers.Select(p => (p.PublicKey, p.PresharedKey, p.Endpoint, p.PersistentKeepaliveSeconds, p.AllowedIps)));
    }
}
