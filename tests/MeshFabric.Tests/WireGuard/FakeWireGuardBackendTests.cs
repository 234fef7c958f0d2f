using System.Net;
using MeshFabric.Net;
using MeshFabric.TestKit.Contracts;
using MeshFabric.TestKit.WireGuard;
using MeshFabric.WireGuard;

namespace MeshFabric.Tests.WireGuard;

public sealed class FakeWireGuardBackendTests : WireGuardBackendContract
{
    protected override IContractHost NewHost(string label) => new MemoryHost();

    [Fact]
    public async Task The_host_prints_itself_without_secrets()
    {
        var host = ((MemoryHost)Host).Fake;
        host.AddForeignLink("eth0");
        await Backend.EnsureAsync("mf0", Over);
        await Backend.EnsureAsync("mf1", Over);
        var (own, key) = (new PrivateKey(Enumerable.Repeat((byte)1, 32).ToArray()), new PublicKey(Enumerable.Repeat((byte)0x77, 32).ToArray()));
        var preshared = new PresharedKey(Enumerable.Repeat((byte)2, 32).ToArray());
        await Backend.ConfigureAsync("mf0", new DeviceConfig(own, 51820, 7, [new PeerConfig(key, preshared, IPEndPoint.Parse("192.0.2.1:1"), 25, [Cidr.Parse("10.1.0.0/16"), Cidr.Parse("fd01::/48")])]), Over);
        host.Heard("mf0", key, IPEndPoint.Parse("192.0.2.9:9"), DateTimeOffset.UnixEpoch.AddDays(20_000), received: 148, sent: 92);
        Assert.Equal(
            """
            eth0 foreign
            mf0 key pOCSkrZR port 51820 mark 7
              peer d3d3d3d3 192.0.2.9:9 preshared keepalive 25 handshake 2024-10-04 00:00:00Z allowed 10.1.0.0/16 fd01::/48
            mf1 key none port 0 mark 0

            """, host.ToString());
    }

    [Fact]
    public async Task Changes_are_counted_and_a_repeated_configuration_is_none()
    {
        var host = ((MemoryHost)Host).Fake;
        await Backend.EnsureAsync(Device, Over);
        await Backend.ConfigureAsync(Device, Config(Peer(1)), Over);
        var before = host.Changes;
        await Backend.ConfigureAsync(Device, Config(Peer(1)), Over);
        Assert.Equal(before, host.Changes);
        await Backend.ConfigureAsync(Device, Config(Peer(1) with { PresharedKey = PresharedKey.Generate() }), Over);
        Assert.Equal(before + 1, host.Changes);
    }

    [Fact]
    public async Task A_roamed_endpoint_stays_until_another_is_wanted()
    {
        var (host, peer) = (((MemoryHost)Host).Fake, Peer(1) with { Endpoint = IPEndPoint.Parse("192.0.2.1:1") });
        await Backend.EnsureAsync(Device, Over);
        await Backend.ConfigureAsync(Device, Config(peer), Over);
        host.Heard(Device, peer.PublicKey, IPEndPoint.Parse("192.0.2.9:9"), DateTimeOffset.UnixEpoch.AddDays(1));
        await Backend.ConfigureAsync(Device, Config(peer), Over);
        Assert.Equal(IPEndPoint.Parse("192.0.2.9:9"), (await Backend.ReadAsync(Device, Over)).Peers[0].Endpoint);
        await Backend.ConfigureAsync(Device, Config(peer with { Endpoint = IPEndPoint.Parse("192.0.2.2:2") }), Over);
        Assert.Equal(IPEndPoint.Parse("192.0.2.2:2"), (await Backend.ReadAsync(Device, Over)).Peers[0].Endpoint);
    }

    sealed class MemoryHost : IContractHost
    {
        public FakeWireGuardHost Fake { get; } = new();

        public IWireGuardBackend Open() => Fake.Open();

        public void AddForeignLink(string name) => Fake.AddForeignLink(name);

        public bool HasLink(string name) => Fake.HasLink(name);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
