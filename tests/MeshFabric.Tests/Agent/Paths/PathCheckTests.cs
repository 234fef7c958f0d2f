using MeshFabric.Agent.Paths;
using MeshFabric.Net;

namespace MeshFabric.Tests.Agent.Paths;

public sealed class PathCheckTests
{
    static readonly PrivateKey A = PrivateKey.Generate(), B = PrivateKey.Generate(), Stranger = PrivateKey.Generate();
    static readonly byte[] Key = PathCheck.Key(A, B.ToPublicKey());

    [Fact]
    public void Both_sides_have_the_same_key_and_nobody_else_has()
    {
        Assert.Equal(Key, PathCheck.Key(B, A.ToPublicKey()));
        Assert.NotEqual(Key, PathCheck.Key(Stranger, A.ToPublicKey()));
        Assert.NotEqual(Key, PathCheck.Key(Stranger, B.ToPublicKey()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_written_is_read_and_a_changed_bit_anywhere_makes_it_worthless(bool isAnswer)
    {
        var check = new PathCheck(isAnswer, PathCheck.SenderOf(A.ToPublicKey()), 0x0102030405060708);
        var packet = check.Write(Key);
        Assert.Equal(PathCheck.Size, packet.Length);
        Assert.Equal(check, PathCheck.Read(packet));
        Assert.True(PathCheck.IsAuthentic(packet, Key));
        for (var bit = 0; bit < 8 * packet.Length; bit++)
        {
            var forged = (byte[])packet.Clone();
            forged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.True(PathCheck.Read(forged) is null || !PathCheck.IsAuthentic(forged, Key), $"bit {bit}");
        }
    }

    [Fact]
    public void WireGuards_own_messages_and_rubbish_are_none()
    {
        foreach (var type in new byte[] { 1, 2, 3, 4 })
        {
            var message = new byte[PathCheck.Size];
            message[0] = type;
            Assert.Null(PathCheck.Read(message));
        }

        var whole = new PathCheck(false, 1, 2).Write(Key);
        Assert.Null(PathCheck.Read(whole.AsSpan(0, 47)));
        Assert.Null(PathCheck.Read([.. whole, 0]));
        Assert.Null(PathCheck.Read([]));
    }

    [Fact]
    public void A_key_of_small_order_is_no_key() => Assert.Throws<ArgumentException>(() => A.Agree(new PublicKey(new byte[32])));

    // RFC 7748, section 6.1.
    [Fact]
    public void The_shared_secret_is_that_of_the_standard()
    {
        var bob = new PrivateKey(Convert.FromHexString("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        var alice = new PublicKey(Convert.FromHexString("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
        Assert.Equal("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", Convert.ToHexStringLower(bob.Agree(alice)));
    }
}
