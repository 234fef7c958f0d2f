using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using CsCheck;
using MeshFabric.Net;

namespace MeshFabric.Tests.Net;

public sealed class CidrTests
{
    [Theory]
    [InlineData("10.0.0.1/8", "bits set beyond")]
    [InlineData("10/8", "canonical")]
    [InlineData("010.0.0.0/8", "canonical")]
    [InlineData("10.0.0.0/08", "canonical")]
    [InlineData("10.0.0.0/33", "0 to 32")]
    [InlineData("10.0.0.0/-1", "0 to 32")]
    [InlineData("10.0.0.0", "no prefix length")]
    [InlineData("::ffff:10.0.0.0/104", "IPv4-mapped")]
    [InlineData("fe80::%1/64", "does not begin with")]
    [InlineData("FD00::/8", "canonical")]
    [InlineData("fd00:0::/32", "canonical")]
    [InlineData("pods/16", "does not begin with")]
    [InlineData("", "a CIDR is needed")]
    public void A_text_that_is_not_canonical_is_refused_with_the_reason(string text, string reason)
    {
        Assert.False(Cidr.TryParse(text, out _, out var error));
        Assert.Contains(reason, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Host_bits_are_refused_with_the_prefix_that_was_probably_meant()
    {
        Cidr.TryParse("10.20.3.0/16", out _, out var error);
        Assert.EndsWith("did you mean 10.20.0.0/16?", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_prefix_prints_back_as_it_was_read() =>
        AnyCidr.Sample(cidr => Assert.Equal(cidr, Cidr.Parse(cidr.ToString())));

    [Fact]
    public void Every_prefix_crosses_json_unchanged() =>
        AnyCidr.Sample(cidr => Assert.Equal(cidr, JsonSerializer.Deserialize<Cidr>(JsonSerializer.Serialize(cidr))));

    [Fact]
    public void Two_prefixes_overlap_when_they_share_an_address() =>
        Gen.Select(AnyCidr, AnyCidr).Sample((a, b) =>
            Assert.Equal(a.Family == b.Family && (a.Contains(b.Address) || b.Contains(a.Address)), a.Overlaps(b)));

    [Theory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public void A_prefix_of_no_bits_contains_every_address_of_its_family(AddressFamily family)
    {
        var all = Cidr.OfBits(family, 12345, 0);
        Assert.Equal(UInt128.Zero, all.Bits);
        Assert.True(all.Contains(Cidr.OfBits(family, 99, 32)));
        Assert.True(all.Contains(all.LastAddress));
    }

    [Fact]
    public void Translation_keeps_the_host_bits_and_is_reversible()
    {
        var local = Cidr.Parse("10.20.0.0/16");
        var mesh = Cidr.Parse("100.64.0.0/16");
        var translated = local.Translate(IPAddress.Parse("10.20.7.9"), mesh);
        Assert.Equal("100.64.7.9", translated.ToString());
        Assert.Equal("10.20.7.9", mesh.Translate(translated, local).ToString());
    }

    public static readonly Gen<Cidr> AnyCidr = Gen.Select(Gen.Bool, Gen.Byte.Array[16], Gen.Int[0, 128]).Select((v4, bytes, length) =>
        v4 ? Cidr.Of(new IPAddress(bytes.AsSpan(0, 4)), length % 33) : Cidr.Of(Unmapped(bytes), length));

    // A prefix of ::ffff:0:0/96 would be an IPv4-mapped one, which Cidr refuses by design.
    static IPAddress Unmapped(byte[] bytes) => new([0xfd, .. bytes.AsSpan(1)]);
}
