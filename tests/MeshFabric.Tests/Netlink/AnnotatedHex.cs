using CsCheck;
using MeshFabric.Netlink;

namespace MeshFabric.Tests.Netlink;

/// <summary>Expected bytes, written by hand: hex pairs, and what they are behind a <c>#</c>.</summary>
static class AnnotatedHex
{
    public static byte[] Bytes(string text) => Convert.FromHexString(string.Concat(text.Split('\n').Select(l => l.Split('#')[0])).Replace(" ", "", StringComparison.Ordinal));

    public static void Is(string expected, MessageWriter actual) => Assert.Equal(Convert.ToHexStringLower(Bytes(expected)), Convert.ToHexStringLower(actual.Written));

    public static MessageWriter Written(Action<MessageWriter> write)
    {
        var writer = new MessageWriter();
        write(writer);
        return writer;
    }

    /// <summary>A decoder meets every shortened and many damaged forms of a message, and noise: it reads them or says what is wrong, and does nothing worse.</summary>
    public static void SurvivesDamage(byte[] message, Action<byte[]> decode)
    {
        decode(message);
        for (var length = 0; length < message.Length; length++)
        {
            Attempt(message[..length], decode);
        }

        Gen.Select(Gen.Int[0, message.Length - 1], Gen.Byte, Gen.Int[0, message.Length - 1], Gen.Byte).Sample((i, a, j, b) =>
        {
            var damaged = message.ToArray();
            (damaged[i], damaged[j]) = (a, b);
            Attempt(damaged, decode);
        });
        Gen.Byte.Array[0, 200].Sample(noise => Attempt(noise, decode));
    }

    static void Attempt(byte[] bytes, Action<byte[]> decode)
    {
        try
        {
            decode(bytes);
        }
        catch (NetlinkException e)
        {
            Assert.True(e.IsMalformed, e.Message);
        }
    }
}
