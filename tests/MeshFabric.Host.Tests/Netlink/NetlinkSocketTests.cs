using MeshFabric.Netlink;

namespace MeshFabric.Host.Tests.Netlink;

public sealed class NetlinkSocketTests
{
    const ushort GetLink = 18;

    [Fact]
    public void A_refusal_that_nobody_waited_for_does_not_spoil_the_next_exchange()
    {
        using var socket = NetlinkSocket.Open(0);
        socket.Send(Ask(socket.NextSequence(), int.MaxValue));
        var sequence = socket.NextSequence();
        var seen = 0;
        Assert.True(socket.Exchange(Ask(sequence, 1), sequence, "asking for lo", (_, _) => seen++));
        Assert.Equal(1, seen);
    }

    [Fact]
    public void A_link_that_does_not_exist_is_told_as_such()
    {
        using var socket = NetlinkSocket.Open(0);
        var sequence = socket.NextSequence();
        var refused = Assert.Throws<NetlinkException>(() => socket.Exchange(Ask(sequence, int.MaxValue), sequence, "asking for a link"));
        Assert.True(refused.IsNotFound);
        Assert.StartsWith("asking for a link: No such device", refused.Message, StringComparison.Ordinal);
    }

    static MessageWriter Ask(uint sequence, int link)
    {
        var writer = new MessageWriter();
        writer.Begin(GetLink, MessageFlags.Request | MessageFlags.Ack, sequence);
        writer.Bytes([0, 0, 0, 0]);
        writer.U32((uint)link);
        writer.Bytes(stackalloc byte[8]);
        writer.End();
        return writer;
    }
}
