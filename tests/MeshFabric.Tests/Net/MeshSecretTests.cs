using MeshFabric.Net;

namespace MeshFabric.Tests.Net;

public sealed class MeshSecretTests
{
    static readonly MeshSecret Secret = Filled(7);
    static readonly PrivateKey Receiver = new([.. Enumerable.Repeat((byte)1, 32)]), Other = new([.. Enumerable.Repeat((byte)2, 32)]);

    [Fact]
    public void Both_sides_of_a_tunnel_make_the_same_key_and_no_other_pair_or_epoch_has_it()
    {
        var (a, b, c) = (Receiver.ToPublicKey(), Other.ToPublicKey(), PrivateKey.Generate().ToPublicKey());
        Assert.Equal(Secret.KeyOf(a, b), Secret.KeyOf(b, a));
        Assert.NotEqual(Secret.KeyOf(a, b), Secret.KeyOf(a, c));
        Assert.NotEqual(Secret.KeyOf(a, b), Filled(8).KeyOf(a, b));
    }

    /// <summary>Held by its bytes: a gateway of another version must make the same key.</summary>
    [Fact]
    public void The_key_of_a_pair_is_what_it_has_always_been() =>
        Assert.Equal("dMk0pD2eAO9M7S2LVCyeZziS7xI+l2Y/DuUXI2rCH3s=", Convert.ToBase64String(Secret.KeyOf(Receiver.ToPublicKey(), Other.ToPublicKey()).Bytes));

    [Fact]
    public void What_is_sealed_for_a_gateway_is_opened_by_it_and_is_never_sealed_alike()
    {
        var box = Secret.Seal(Receiver.ToPublicKey(), 3);
        Assert.Equal(Secret.Bytes, MeshSecret.Open(box, Receiver, 3).Bytes);
        Assert.NotEqual(box, Secret.Seal(Receiver.ToPublicKey(), 3));
        Assert.DoesNotContain(Convert.ToBase64String(Secret.Bytes)[..40], box, StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_else_opens_it_nor_for_another_epoch_nor_when_a_bit_is_another()
    {
        var box = Secret.Seal(Receiver.ToPublicKey(), 3);
        Assert.Throws<FormatException>(() => MeshSecret.Open(box, Other, 3));
        Assert.Throws<FormatException>(() => MeshSecret.Open(box, Receiver, 4));
        Assert.Throws<FormatException>(() => MeshSecret.Open("not base64", Receiver, 3));
        Assert.Throws<FormatException>(() => MeshSecret.Open("AAAA", Receiver, 3));
        var bytes = Convert.FromBase64String(box);
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.Throws<FormatException>(() => MeshSecret.Open(Convert.ToBase64String(bytes), Receiver, 3));
            bytes[i] ^= 1;
        }
    }

    [Fact]
    public void It_is_not_printed() => Assert.Equal("(mesh secret)", $"{Secret}");

    static MeshSecret Filled(byte value) => new([.. Enumerable.Repeat(value, MeshSecret.Size)]);
}
