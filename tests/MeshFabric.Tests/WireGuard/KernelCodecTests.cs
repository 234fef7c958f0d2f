using System.Net;
using MeshFabric.Net;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Generic;
using MeshFabric.Tests.Netlink;
using MeshFabric.WireGuard;
using MeshFabric.WireGuard.Linux;
using static MeshFabric.Tests.Netlink.AnnotatedHex;

namespace MeshFabric.Tests.WireGuard;

/// <summary>linux/wireguard.h. Requests carry what the wg program sends for the same wish, in the order of our writer; the answer is of a Linux 6.1 kernel.</summary>
public sealed class KernelCodecTests
{
    const string Peer = "24 00 01 00 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77  # WGPEER_A_PUBLIC_KEY";

    // wg set mf0 private-key ... listen-port 51820 fwmark 0x77 peer ...; wg set mf0 peer ... endpoint '[fe80::2%2]:51821'; wg showconf mf0
    const string Answer = """
        06 00 06 00 6c ca 00 00                          # WGDEVICE_A_LISTEN_PORT 51820
        08 00 07 00 77 00 00 00                          # WGDEVICE_A_FWMARK
        08 00 01 00 02 00 00 00                          # WGDEVICE_A_IFINDEX
        08 00 02 00 6d 66 30 00                          # WGDEVICE_A_IFNAME "mf0"
        24 00 03 00 00 01 01 01 01 01 01 01 01 01 01 01  # WGDEVICE_A_PRIVATE_KEY
          01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01
          01 01 01 41
        24 00 04 00 a4 e0 92 92 b6 51 c2 78 b9 77 2c 56  # WGDEVICE_A_PUBLIC_KEY
          9f 5f a9 bb 13 d9 06 b4 6a b6 8c 9d f9 dc 2b 44
          09 f8 a2 09
        f4 00 08 80                                      # WGDEVICE_A_PEERS
        f0 00 00 80
          24 00 01 00 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77 77  # WGPEER_A_PUBLIC_KEY
          24 00 02 00 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02  # WGPEER_A_PRESHARED_KEY
          14 00 06 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  # WGPEER_A_LAST_HANDSHAKE_TIME
          06 00 05 00 19 00 00 00                        # WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL
          0c 00 08 00 00 00 00 00 00 00 00 00            # WGPEER_A_TX_BYTES
          0c 00 07 00 00 00 00 00 00 00 00 00            # WGPEER_A_RX_BYTES
          08 00 0a 00 01 00 00 00                        # WGPEER_A_PROTOCOL_VERSION
          20 00 04 00 0a 00 ca 6d 00 00 00 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02 02 00 00 00  # WGPEER_A_ENDPOINT
          48 00 09 80                                    # WGPEER_A_ALLOWEDIPS
            1c 00 00 80
              05 00 03 00 10 00 00 00                    # WGALLOWEDIP_A_CIDR_MASK
              06 00 01 00 02 00 00 00                    # WGALLOWEDIP_A_FAMILY
              08 00 02 00 0a 01 00 00                    # WGALLOWEDIP_A_IPADDR
            28 00 00 80
              05 00 03 00 30 00 00 00
              06 00 01 00 0a 00 00 00
              14 00 02 00 fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        """;

    static readonly PublicKey Key = new(Filled(0x77));

    [Fact]
    public void A_device_is_asked_for_by_name() => Is(
        """
        1c 00 00 00 20 00 01 03 07 00 00 00 00 00 00 00  # the family's number, REQUEST | DUMP (wg: and ACK)
        00 01 00 00                                      # WG_CMD_GET_DEVICE, WG_GENL_VERSION
        08 00 02 00 6d 66 30 00                          # WGDEVICE_A_IFNAME
        """,
        Written(w =>
        {
            GenericNetlink.Begin(w, 32, MessageFlags.Dump, 7, KernelCodec.GetDevice, KernelCodec.Version);
            KernelCodec.WriteName(w, "mf0");
            w.End();
        }));

    [Fact]
    public void A_new_peer_and_the_devices_own_values() => Is(
        $"""
        0c 01 00 00 20 00 05 00 07 00 00 00 00 00 00 00  # REQUEST | ACK
        01 01 00 00                                      # WG_CMD_SET_DEVICE
        08 00 02 00 6d 66 30 00
        24 00 03 00 00 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 41  # WGDEVICE_A_PRIVATE_KEY, clamped (RFC 7748)
        06 00 06 00 6c ca 00 00                          # WGDEVICE_A_LISTEN_PORT
        08 00 07 00 77 00 00 00                          # WGDEVICE_A_FWMARK
        bc 00 08 80                                      # WGDEVICE_A_PEERS
        b8 00 00 80
          {Peer}
          08 00 03 00 02 00 00 00                        # WGPEER_A_FLAGS: WGPEER_F_REPLACE_ALLOWEDIPS
          24 00 02 00 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02  # WGPEER_A_PRESHARED_KEY
          14 00 04 00 02 00 ca 6d c0 00 02 02 00 00 00 00 00 00 00 00  # WGPEER_A_ENDPOINT: struct sockaddr_in 192.0.2.2:51821
          06 00 05 00 19 00 00 00                        # WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL
          48 00 09 80                                    # WGPEER_A_ALLOWEDIPS
            1c 00 00 80 06 00 01 00 02 00 00 00 08 00 02 00 0a 01 00 00 05 00 03 00 10 00 00 00
            28 00 01 80 06 00 01 00 0a 00 00 00 14 00 02 00 fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 05 00 03 00 30 00 00 00
        """,
        Written(w =>
        {
            GenericNetlink.Begin(w, 32, MessageFlags.Ack, 7, KernelCodec.SetDevice, KernelCodec.Version);
            var peer = new PeerChange(Key, false, true, new PresharedKey(Filled(2)), false, IPEndPoint.Parse("192.0.2.2:51821"), 25, [Cidr.Parse("10.1.0.0/16"), Cidr.Parse("fd01::/48")]);
            var change = new DeviceChange(new PrivateKey(Filled(1)), 51820, 0x77, [peer]);
            Assert.Equal(new ChangePosition(1, 0), KernelCodec.WriteChange(w, "mf0", change, ChangePosition.Start));
            w.End();
        }));

    [Fact]
    public void Peers_that_change_stay_or_go() => Is(
        $"""
        08 00 02 00 6d 66 30 00
        30 01 08 80
        50 00 00 80
          {Peer}
          08 00 03 00 04 00 00 00  # WGPEER_F_UPDATE_ONLY
          20 00 04 00 0a 00 ca 6d 00 00 00 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02 02 00 00 00  # struct sockaddr_in6, scope 2
        5c 00 01 80
          {Peer}
          08 00 03 00 06 00 00 00  # UPDATE_ONLY | REPLACE_ALLOWEDIPS, and none given: the list is emptied
          24 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  # zeros take it away
          06 00 05 00 00 00 00 00  # no keepalive
        50 00 02 80
          {Peer}
          08 00 03 00 04 00 00 00  # the list stays and grows
          20 00 09 80
            1c 00 00 80 06 00 01 00 02 00 00 00 08 00 02 00 00 00 00 00 05 00 03 00 00 00 00 00  # 0.0.0.0/0
        30 00 03 80
          {Peer}
          08 00 03 00 01 00 00 00  # WGPEER_F_REMOVE_ME
        """,
        Written(w => KernelCodec.WriteChange(w, "mf0", new DeviceChange(null, null, null,
        [
            new PeerChange(Key, false, false, null, false, IPEndPoint.Parse("[fe80::2%2]:51821"), null, null),
            new PeerChange(Key, false, false, null, true, null, 0, []),
            new PeerChange(Key, false, false, null, false, null, null, [Cidr.Parse("0.0.0.0/0")], KeepsAllowedIps: true),
            PeerChange.Removal(Key),
        ]), ChangePosition.Start)));

    [Fact]
    public void The_answer_of_the_kernel_is_read()
    {
        var builder = new DeviceBuilder("mf0");
        KernelCodec.Read(Bytes(Answer), builder);
        Assert.Equal(
            new DeviceState("mf0", new PrivateKey(Filled(1)).ToPublicKey(), 51820, 0x77,
                [new PeerState(Key, new PresharedKey(Filled(2)), IPEndPoint.Parse("[fe80::2%2]:51821"), 25, null, 0, 0, [Cidr.Parse("10.1.0.0/16"), Cidr.Parse("fd01::/48")])]),
            builder.Build());
    }

    [Fact]
    public void A_peer_that_is_split_over_messages_is_put_together()
    {
        var builder = new DeviceBuilder("mf0");
        KernelCodec.Read(Bytes(Answer), builder);
        KernelCodec.Read(Bytes($"""
            08 00 02 00 6d 66 30 00
            4c 00 08 80
            48 00 00 80
              {Peer}
              20 00 09 80
                1c 00 00 80 06 00 01 00 02 00 00 00 08 00 02 00 0a 02 00 00 05 00 03 00 10 00 00 00
            """), builder);
        var peer = Assert.Single(builder.Build().Peers);
        Assert.Equal([Cidr.Parse("10.1.0.0/16"), Cidr.Parse("10.2.0.0/16"), Cidr.Parse("fd01::/48")], peer.AllowedIps);
        Assert.Equal((new PresharedKey(Filled(2)), 25), (peer.PresharedKey, peer.PersistentKeepaliveSeconds));
    }

    [Fact]
    public void Handshake_and_counters_are_read()
    {
        var builder = new DeviceBuilder("mf0");
        KernelCodec.Read(Bytes($"""
            58 00 08 80
            54 00 00 80
              {Peer}
              14 00 06 00 00 2a 7f 68 00 00 00 00 ff c9 9a 3b 00 00 00 00
              0c 00 07 00 ff ff ff ff ff ff ff ff
              0c 00 08 00 94 00 00 00 00 00 00 00
            """), builder);
        var peer = Assert.Single(builder.Build().Peers);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(0x687f2a00).AddTicks(9_999_999), peer.LastHandshake);
        Assert.Equal((ulong.MaxValue, 148ul), (peer.ReceivedBytes, peer.SentBytes));
    }

    [Theory]
    [InlineData("24 00 04 00 a4 e0", "an attribute of 36 bytes where 6 are left")]
    [InlineData("08 00 04 00 a4 e0 92 92", "a key of 4 bytes")]
    [InlineData("10 00 08 80 0c 00 00 80 06 00 05 00 19 00 00 00", "a peer that does not begin with its public key")]
    [InlineData("40 00 08 80 3c 00 00 80 KEY 14 00 06 00 ff ff ff ff ff ff ff 7f 00 00 00 00 00 00 00 00", "the time 9223372036854775807 s 0 ns")]
    [InlineData("38 00 08 80 34 00 00 80 KEY 0c 00 06 00 00 00 00 00 00 00 00 00", "a time of 8 bytes")]
    [InlineData("44 00 08 80 40 00 00 80 KEY 18 00 09 80 14 00 00 80 08 00 02 00 0a 01 00 00 05 00 03 00 21 00 00 00", "the allowed-ip 10.1.0.0/33")]
    [InlineData("3c 00 08 80 38 00 00 80 KEY 10 00 09 80 0c 00 00 80 08 00 02 00 0a 01 00 00", "the allowed-ip 10.1.0.0/")]
    public void A_bad_answer_is_told(string hex, string told)
    {
        var answer = Bytes(hex.Replace("KEY", Peer.Split('#')[0], StringComparison.Ordinal));
        var error = Assert.Throws<NetlinkException>(() => KernelCodec.Read(answer, new DeviceBuilder("mf0")));
        Assert.True(error.IsMalformed);
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_damage_does_worse_than_an_error_of_ours() => SurvivesDamage(Bytes(Answer), b =>
    {
        var builder = new DeviceBuilder("mf0");
        KernelCodec.Read(b, builder);
        builder.Build();
    });

    static byte[] Filled(byte value) => Enumerable.Repeat(value, 32).ToArray();
}
