using System.Net;
using CsCheck;
using MeshFabric.Net;
using MeshFabric.Netlink;
using MeshFabric.Tests.Netlink;
using MeshFabric.WireGuard;
using MeshFabric.WireGuard.Linux;

namespace MeshFabric.Tests.WireGuard;

/// <summary>A change of any size becomes messages that the kernel takes, and which say together what was wanted.</summary>
public sealed class KernelSplitTests
{
    const int PublicKeyAttribute = 1, FlagsAttribute = 3, PeersAttribute = 8, AllowedIpsAttribute = 9;
    const uint ReplaceAllowedIps = 2, UpdateOnly = 4;

    static readonly Gen<PeerChange> AnyPeer =
        Gen.Select(Gen.Byte.Array[32], Gen.Bool, Gen.Bool, Gen.UShort, RouteReadTests.AnyPrefix.HashSet[0, 12]).Select((key, preshared, v4, number, allowed) => new PeerChange(
            new PublicKey(key), false, true, preshared ? new PresharedKey(Enumerable.Repeat((byte)1, 32).ToArray()) : null, false,
            number == 0 ? null : new IPEndPoint(v4 ? new IPAddress(key.AsSpan(0, 4)) : new IPAddress([0xfd, .. key[1..16]]), number), number, allowed.Order().ToValueList()));

    [Fact]
    public void What_is_written_in_one_message_or_many_is_read_the_same() =>
        Gen.Select(AnyPeer.List[0, 40], Gen.Int[0, 4000], Gen.UShort, Gen.UInt).Sample((peers, many, port, mark) =>
        {
            var large = new PeerChange(new PublicKey(Enumerable.Repeat((byte)9, 32).ToArray()), false, true, null, false, null, 0, Prefixes(many));
            var change = new DeviceChange(null, port, mark, peers.DistinctBy(p => p.PublicKey).Where(p => p.PublicKey != large.PublicKey).Append(large).Shuffled(port));
            var device = new DeviceBuilder("mf0");
            foreach (var message in Messages(change))
            {
                Assert.True(message.Length < 64 << 10, $"a message of {message.Length} bytes");
                KernelCodec.Read(message, device);
            }

            var state = device.Build();
            Assert.Equal((port, mark), (state.ListenPort, state.FirewallMark));
            Assert.Equal(
                change.Peers.OrderBy(p => p.PublicKey).Select(p => (p.PublicKey, p.PresharedKey, p.Endpoint, p.PersistentKeepaliveSeconds, p.AllowedIps!)),
                state.Peers.Select(p => (p.PublicKey, p.PresharedKey, p.Endpoint, (int?)p.PersistentKeepaliveSeconds, p.AllowedIps)));
        }, iter: 30);

    [Fact]
    public void Only_the_first_part_of_a_peer_replaces_its_list()
    {
        var (one, two, three) = (Peer(1, 10), Peer(2, 3000), Peer(3, 1));
        var messages = Messages(new DeviceChange(null, null, null, [one, two, three])).Select(Parts).ToList();
        Assert.Equal(3, messages.Count);
        Assert.Equal([(1, ReplaceAllowedIps), (2, ReplaceAllowedIps)], messages[0].Select(p => (p.Key, p.Flags)));
        Assert.Equal([(2, UpdateOnly)], messages[1].Select(p => (p.Key, p.Flags)));
        Assert.Equal([(2, UpdateOnly), (3, ReplaceAllowedIps)], messages[2].Select(p => (p.Key, p.Flags)));
        Assert.Equal(3000, messages.SelectMany(m => m).Where(p => p.Key == 2).Sum(p => p.AllowedIps));
    }

    [Fact]
    public void A_thousand_peers_go_out_in_few_messages()
    {
        var messages = Messages(new DeviceChange(null, null, null, Enumerable.Range(0, 1000).Select(i => Peer((byte)i, 1)).ToValueList()));
        Assert.InRange(messages.Count, 2, 4);
        Assert.Equal(1000, messages.Sum(m => Parts(m).Count));
    }

    [Fact]
    public void A_change_without_peers_is_one_message()
    {
        var message = Assert.Single(Messages(new DeviceChange(null, 1, null, [])));
        Assert.Empty(Parts(message));
    }

    static PeerChange Peer(byte key, int allowed) => new(new PublicKey(Enumerable.Repeat(key, 32).ToArray()), false, true, null, false, null, null, Prefixes(allowed));

    static ValueList<Cidr> Prefixes(int count) => Enumerable.Range(0, count).Select(i => Cidr.Of(new IPAddress([10, (byte)(i >> 8), (byte)i, 0]), 24)).ToValueList();

    static List<byte[]> Messages(DeviceChange change)
    {
        var messages = new List<byte[]>();
        var at = ChangePosition.Start;
        do
        {
            messages.Add(AnnotatedHex.Written(w => at = KernelCodec.WriteChange(w, "mf0", change, at)).Written.ToArray());
        }
        while (at.Peer < change.Peers.Count);
        return messages;
    }

    static List<(int Key, uint Flags, int AllowedIps)> Parts(byte[] message)
    {
        var parts = new List<(int, uint, int)>();
        var device = new AttributeReader(message);
        while (device.MoveNext())
        {
            for (var peers = device.Type == PeersAttribute ? device.Nested() : default; peers.MoveNext();)
            {
                var (key, flags, allowed) = (0, 0u, 0);
                for (var peer = peers.Nested(); peer.MoveNext();)
                {
                    key = peer.Type == PublicKeyAttribute ? peer.Value[0] : key;
                    flags = peer.Type == FlagsAttribute ? peer.U32() : flags;
                    for (var list = peer.Type == AllowedIpsAttribute ? peer.Nested() : default; list.MoveNext();)
                    {
                        allowed++;
                    }
                }

                parts.Add((key, flags, allowed));
            }
        }

        return parts;
    }
}

static class Shuffling
{
    public static ValueList<T> Shuffled<T>(this IEnumerable<T> items, int seed)
    {
        var array = items.ToArray();
        new Random(seed).Shuffle(array);
        return array.ToValueList();
    }
}
