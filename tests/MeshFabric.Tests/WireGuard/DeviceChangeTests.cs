using System.Net;
using CsCheck;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Tests.WireGuard;

public sealed class DeviceChangeTests
{
    static readonly PrivateKey Own = new(Enumerable.Range(1, 32).Select(i => (byte)i).ToArray());
    static readonly PublicKey[] Keys = Enumerable.Range(0, 6).Select(i => new PublicKey(Enumerable.Repeat((byte)(i + 1), 32).ToArray())).ToArray();
    static readonly Cidr[] Prefixes = Enumerable.Range(0, 8).Select(i => Cidr.Parse($"10.{i}.0.0/16")).ToArray();

    [Fact]
    public void Applying_the_change_gives_what_is_wanted_and_then_there_is_nothing_to_change() =>
        Gen.Select(AnyConfig, AnyConfig).Sample((before, wanted) =>
        {
            var device = new Device();
            device.Apply(DeviceChange.Between(device.State(), before, null));
            var change = DeviceChange.Between(device.State(), wanted, before);
            device.Apply(change);
            Assert.Equal(Described(wanted), device.Described());
            Assert.True(DeviceChange.Between(device.State(), wanted, wanted).IsEmpty);
        });

    [Fact]
    public void A_peer_that_did_not_change_is_not_touched() =>
        Gen.Select(AnyConfig, AnyConfig).Sample((before, wanted) =>
        {
            var device = new Device();
            device.Apply(DeviceChange.Between(device.State(), before, null));
            var touched = DeviceChange.Between(device.State(), wanted, before).Peers.Select(p => p.PublicKey).ToHashSet();
            Assert.DoesNotContain(wanted.Peers, p => before.Peers.Contains(p) && touched.Contains(p.PublicKey));
        });

    [Fact]
    public void A_roamed_endpoint_stays_until_another_is_wanted()
    {
        var wanted = Config(Endpoint("192.0.2.1:1"));
        var device = new Device();
        device.Apply(DeviceChange.Between(device.State(), wanted, null));
        device.Peers[Keys[0]].Endpoint = Endpoint("192.0.2.9:9");
        Assert.True(DeviceChange.Between(device.State(), wanted, wanted).IsEmpty);
        var other = Assert.Single(DeviceChange.Between(device.State(), Config(Endpoint("192.0.2.2:2")), wanted).Peers);
        Assert.Equal(Endpoint("192.0.2.2:2"), other.Endpoint);
    }

    [Fact]
    public void A_peer_that_gains_gets_only_what_is_new_and_takes_over_what_moves()
    {
        var change = Change([[0, 1], [2]], [[0], [1, 2, 3]]);
        var gaining = Assert.Single(change.Peers);
        Assert.Equal((Keys[1], true), (gaining.PublicKey, gaining.KeepsAllowedIps));
        Assert.Equal([Prefixes[1], Prefixes[3]], gaining.AllowedIps!);
    }

    [Fact]
    public void A_peer_that_loses_a_prefix_to_nobody_gets_its_list_replaced_after_the_others_gained()
    {
        var change = Change([[0, 1], [2]], [[0], [2, 3]]);
        Assert.Equal([(Keys[1], true), (Keys[0], false)], change.Peers.Select(p => (p.PublicKey, p.KeepsAllowedIps)));
        Assert.Equal([Prefixes[0]], change.Peers[1].AllowedIps!);
    }

    static DeviceChange Change(int[][] before, int[][] wanted)
    {
        var device = new Device();
        device.Apply(DeviceChange.Between(device.State(), With(before), null));
        return DeviceChange.Between(device.State(), With(wanted), null);

        static DeviceConfig With(int[][] allowed) => new(Own, 1, 0, allowed.Select((a, i) => new PeerConfig(Keys[i], null, null, 0, a.Select(p => Prefixes[p]).ToValueList())).ToValueList());
    }

    static IPEndPoint Endpoint(string text) => IPEndPoint.Parse(text);

    static DeviceConfig Config(IPEndPoint? endpoint) => new(Own, 1000, 0, [new PeerConfig(Keys[0], null, endpoint, 0, [])]);

    // Each prefix belongs to one peer, or to none.
    static readonly Gen<DeviceConfig> AnyConfig = Gen.Select(Gen.Bool.Array[Keys.Length], Gen.Int[0, Keys.Length].Array[Prefixes.Length], Gen.Int[0, 3].Array[Keys.Length], Gen.Int[1, 3]).Select((present, owners, values, port) =>
        new DeviceConfig(Own, port, (uint)(port - 1), Keys.Select((key, i) => (key, i)).Where(k => present[k.i]).Select(k => new PeerConfig(
            k.key,
            values[k.i] is 1 or 2 ? new PresharedKey(Enumerable.Repeat((byte)(8 + values[k.i]), 32).ToArray()) : null,
            values[k.i] == 0 ? null : new IPEndPoint(IPAddress.Loopback, values[k.i]),
            values[k.i] * 5,
            Prefixes.Where((_, p) => owners[p] == k.i).ToValueList())).ToValueList()));

    // Endpoints that are not wanted stay what they were, so they are not compared.
    static string Described(DeviceConfig config) => string.Join('\n', config.Peers.OrderBy(p => p.PublicKey).Select(p =>
        $"{p.PublicKey} {p.PresharedKey?.GetHashCode()} {p.PersistentKeepaliveSeconds} {string.Join(',', p.AllowedIps.Order())}").Prepend($"{config.PrivateKey.ToPublicKey()} {config.ListenPort} {config.FirewallMark}"));

    /// <summary>What the protocol says a device does with a change.</summary>
    sealed class Device
    {
        PublicKey? _key;
        int _port;
        uint _mark;

        public SortedDictionary<PublicKey, Peer> Peers { get; } = [];

        public void Apply(DeviceChange change)
        {
            _key = change.PrivateKey?.ToPublicKey() ?? _key;
            _port = change.ListenPort ?? _port;
            _mark = change.FirewallMark ?? _mark;
            foreach (var wanted in change.Peers)
            {
                if (wanted.Remove)
                {
                    Peers.Remove(wanted.PublicKey);
                }
                else if (wanted.Add || Peers.ContainsKey(wanted.PublicKey))
                {
                    Apply(wanted);
                }
            }
        }

        void Apply(PeerChange wanted)
        {
            Peers.TryAdd(wanted.PublicKey, new Peer());
            var peer = Peers[wanted.PublicKey];
            peer.Preshared = wanted.PresharedKey ?? (wanted.ClearPresharedKey ? null : peer.Preshared);
            peer.Endpoint = wanted.Endpoint ?? peer.Endpoint;
            peer.Keepalive = wanted.PersistentKeepaliveSeconds ?? peer.Keepalive;
            if (wanted.AllowedIps is null)
            {
                return;
            }

            if (!wanted.KeepsAllowedIps)
            {
                peer.Allowed.Clear();
            }

            foreach (var prefix in wanted.AllowedIps)
            {
                foreach (var other in Peers.Values)
                {
                    other.Allowed.Remove(prefix);
                }

                peer.Allowed.Add(prefix);
            }
        }

        public DeviceState State() => new("wg0", _key, _port, _mark, Peers.Select(p =>
            new PeerState(p.Key, p.Value.Preshared, p.Value.Endpoint, p.Value.Keepalive, null, 0, 0, p.Value.Allowed.ToValueList())).ToValueList());

        public string Described() => string.Join('\n', Peers.Select(p =>
            $"{p.Key} {p.Value.Preshared?.GetHashCode()} {p.Value.Keepalive} {string.Join(',', p.Value.Allowed)}").Prepend($"{_key} {_port} {_mark}"));
    }

    sealed class Peer
    {
        public PresharedKey? Preshared { get; set; }
        public IPEndPoint? Endpoint { get; set; }
        public int Keepalive { get; set; }
        public SortedSet<Cidr> Allowed { get; } = [];
    }
}
