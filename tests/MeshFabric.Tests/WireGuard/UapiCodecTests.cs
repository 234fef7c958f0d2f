using System.Net;
using CsCheck;
using MeshFabric.Net;
using MeshFabric.WireGuard;
using MeshFabric.WireGuard.Uapi;

namespace MeshFabric.Tests.WireGuard;

/// <summary>Text in the shape of the example on the protocol's page, https://www.wireguard.com/xplatform/.</summary>
public sealed class UapiCodecTests
{
    const string First = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";
    const string Second = "58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376";
    const string Third = "662e14fd594556f522604703340351258903b64f35553763f19426ab2a515c58";

    const string ExampleGet = $"""
        private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a
        listen_port=12912
        public_key={First}
        preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52
        allowed_ip=192.168.4.4/32
        endpoint=[abcd:23::33%2]:51820
        public_key={Second}
        tx_bytes=38333
        rx_bytes=2224
        allowed_ip=192.168.4.6/32
        persistent_keepalive_interval=111
        endpoint=182.122.22.19:3233
        public_key={Third}
        endpoint=5.152.198.39:51820
        allowed_ip=192.168.4.10/32
        allowed_ip=192.168.4.11/32
        tx_bytes=1212111
        rx_bytes=1929999999
        protocol_version=1
        errno=0


        """;

    [Fact]
    public void An_answer_to_a_get_is_read()
    {
        var state = UapiCodec.ParseGet("wg0", ExampleGet);
        Assert.Equal(("wg0", 12912, 0u), (state.Name, state.ListenPort, state.FirewallMark));
        Assert.Equal(new PrivateKey(Convert.FromHexString("e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a")).ToPublicKey(), state.PublicKey);
        Assert.Equal(3, state.Peers.Count);
        var first = state.Peers.Single(p => p.PublicKey == Key(First));
        Assert.Equal((new PresharedKey(Convert.FromHexString("188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52")), IPEndPoint.Parse("[abcd:23::33%2]:51820"), 0), (first.PresharedKey, first.Endpoint, first.PersistentKeepaliveSeconds));
        var second = state.Peers.Single(p => p.PublicKey == Key(Second));
        Assert.Equal((null, 2224ul, 38333ul, 111), (second.PresharedKey, second.ReceivedBytes, second.SentBytes, second.PersistentKeepaliveSeconds));
        Assert.Null(second.LastHandshake);
        Assert.Equal([Cidr.Parse("192.168.4.10/32"), Cidr.Parse("192.168.4.11/32")], state.Peers.Single(p => p.PublicKey == Key(Third)).AllowedIps);
    }

    [Fact]
    public void A_change_is_written_as_the_protocol_has_it()
    {
        var change = new DeviceChange(
            new PrivateKey(Convert.FromHexString("e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a")), 12912, 0,
            [
                new PeerChange(Key(First), false, true, new PresharedKey(Convert.FromHexString("188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52")), false, IPEndPoint.Parse("[abcd:23::33%2]:51820"), null, [Cidr.Parse("192.168.4.4/32")]),
                new PeerChange(Key(Second), false, false, null, true, null, 0, []),
                PeerChange.Removal(Key(Third)),
            ]);
        Assert.Equal(
            $"""
            set=1
            private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a
            listen_port=12912
            fwmark=0
            public_key={First}
            preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52
            endpoint=[abcd:23::33%2]:51820
            replace_allowed_ips=true
            allowed_ip=192.168.4.4/32
            public_key={Second}
            update_only=true
            preshared_key=0000000000000000000000000000000000000000000000000000000000000000
            persistent_keepalive_interval=0
            replace_allowed_ips=true
            public_key={Third}
            remove=true


            """,
            UapiCodec.FormatSet(change));
    }

    [Fact]
    public void A_list_that_grows_is_not_replaced()
    {
        var change = new PeerChange(Key(First), false, false, null, false, null, null, [Cidr.Parse("192.168.4.4/32")], KeepsAllowedIps: true);
        Assert.Equal($"set=1\npublic_key={First}\nupdate_only=true\nallowed_ip=192.168.4.4/32\n\n", UapiCodec.FormatSet(new DeviceChange(null, null, null, [change])));
    }

    [Theory]
    [InlineData("errno=1\n\n", WireGuardError.Refused)]
    [InlineData("listen_port=1\n\n", WireGuardError.Protocol)]
    [InlineData("listen_port=65536\nerrno=0\n\n", WireGuardError.Protocol)]
    [InlineData("fwmark=4294967296\nerrno=0\n\n", WireGuardError.Protocol)]
    [InlineData("public_key=00\nerrno=0\n\n", WireGuardError.Protocol)]
    [InlineData($"public_key={First}\nendpoint=nowhere\nerrno=0\n\n", WireGuardError.Protocol)]
    [InlineData($"public_key={First}\nallowed_ip=10.0.0.1/8\nerrno=0\n\n", WireGuardError.Protocol)]
    [InlineData($"public_key={First}\nlast_handshake_time_sec=18446744073709551615\nerrno=0\n\n", WireGuardError.Protocol)]
    [InlineData($"public_key={First}\npersistent_keepalive_interval=-1\nerrno=0\n\n", WireGuardError.Protocol)]
    public void A_bad_answer_is_an_error_of_ours(string answer, WireGuardError reason) =>
        Assert.Equal(reason, Assert.Throws<WireGuardException>(() => UapiCodec.ParseGet("wg0", answer)).Reason);

    [Fact]
    public void Every_shortened_answer_is_refused() =>
        Gen.Int[0, ExampleGet.IndexOf("errno=0", StringComparison.Ordinal)].Sample(length =>
            Assert.Throws<WireGuardException>(() => UapiCodec.ParseGet("wg0", ExampleGet[..length])));

    [Fact]
    public void No_damaged_answer_does_worse_than_an_error_of_ours() =>
        Gen.Select(Gen.Int[0, ExampleGet.Length - 1], Gen.Char[' ', '~'], Gen.Int[0, ExampleGet.Length - 1], Gen.Char['\n', '=']).Sample((i, a, j, b) =>
        {
            var damaged = ExampleGet.ToCharArray();
            (damaged[i], damaged[j]) = (a, b);
            try
            {
                UapiCodec.ParseGet("wg0", new string(damaged));
            }
            catch (WireGuardException e)
            {
                Assert.NotEmpty(e.Message);
            }
        });

    static PublicKey Key(string hex) => new(Convert.FromHexString(hex));
}
