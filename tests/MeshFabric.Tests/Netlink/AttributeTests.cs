using System.Net;
using CsCheck;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Generic;
using static MeshFabric.Tests.Netlink.AnnotatedHex;

namespace MeshFabric.Tests.Netlink;

/// <summary>linux/netlink.h: struct nlmsghdr and struct nlattr; linux/genetlink.h: struct genlmsghdr.</summary>
public sealed class AttributeTests
{
    [Fact]
    public void A_message_and_its_attributes_are_laid_out_as_the_header_says() => Is(
        """
        48 00 00 00              # nlmsg_len 72
        34 12                    # nlmsg_type
        05 06                    # nlmsg_flags: REQUEST 1, ACK 4, EXCL 0x200, CREATE 0x400
        78 56 34 12              # nlmsg_seq
        00 00 00 00              # nlmsg_pid: the kernel knows
        05 00 01 00 aa 00 00 00  # u8, padded to 4
        06 00 02 00 cc bb 00 00  # u16
        08 00 03 00 04 03 02 01  # u32
        08 00 04 00 01 02 03 04  # be32
        08 00 05 00 61 62 63 00  # text with its zero
        08 00 06 00 c0 00 02 01  # IPv4 address
        08 00 07 80              # nested
        04 00 08 00              # nothing in it
        """,
        Written(w =>
        {
            w.Begin(0x1234, MessageFlags.Request | MessageFlags.Ack | MessageFlags.Exclusive | MessageFlags.Create, 0x12345678);
            w.AttributeU8(1, 0xaa);
            w.AttributeU16(2, 0xbbcc);
            w.AttributeU32(3, 0x01020304);
            w.AttributeU32BigEndian(4, 0x01020304);
            w.AttributeText(5, "abc");
            w.AttributeAddress(6, IPAddress.Parse("192.0.2.1"));
            var nested = w.BeginNested(7);
            w.Attribute(8, []);
            w.EndNested(nested);
            w.End();
        }));

    // As the wg program asks.
    [Fact]
    public void A_family_is_looked_up_by_its_name() => Is(
        """
        24 00 00 00 10 00 05 00 4d c2 04 6b 00 00 00 00  # GENL_ID_CTRL, REQUEST | ACK
        03 01 00 00                                      # CTRL_CMD_GETFAMILY, version 1
        0e 00 02 00 77 69 72 65 67 75 61 72 64 00 00 00  # CTRL_ATTR_FAMILY_NAME "wireguard"
        """,
        Written(w =>
        {
            GenericNetlink.Begin(w, 16, MessageFlags.Ack, 0x6b04c24d, 3, 1);
            w.AttributeText(2, "wireguard");
            w.End();
        }));

    [Fact]
    public void What_does_not_fit_its_length_is_refused()
    {
        Written(w => w.Attribute(1, new byte[65_531]));
        var refused = Assert.Throws<InvalidOperationException>(() => Written(w => w.Attribute(1, new byte[65_532])));
        Assert.Equal("a netlink attribute holds at most 65535 bytes, not 65536: split the message", refused.Message);
        Assert.Throws<InvalidOperationException>(() => Written(w =>
        {
            var nested = w.BeginNested(1);
            w.Attribute(2, new byte[65_530]);
            w.EndNested(nested);
        }));
    }

    [Fact]
    public void What_was_written_is_read() =>
        Gen.Select(Gen.Int[1, 0x3fff], Gen.Byte.Array[0, 300]).List[0, 20].Sample(attributes =>
        {
            var writer = Written(w => attributes.ForEach(a => w.Attribute(a.Item1, a.Item2)));
            Assert.Equal(attributes.Select(a => (a.Item1, Convert.ToHexString(a.Item2))), Read(writer.Written.ToArray()));
        });

    [Theory]
    [InlineData("08 00 01 00 01 02 03", "an attribute of 8 bytes where 7 are left")]
    [InlineData("03 00 01 00", "an attribute of 3 bytes where 4 are left")]
    [InlineData("00 00 00 00", "an attribute of 0 bytes where 4 are left")]
    [InlineData("04 00 01", "an attribute of 0 bytes where 3 are left")]
    public void An_attribute_that_is_longer_than_what_is_there_is_an_error(string hex, string told)
    {
        var error = Assert.Throws<NetlinkException>(() => Read(Bytes(hex)));
        Assert.True(error.IsMalformed);
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_number_that_is_too_short_is_an_error() => Assert.Contains("attribute 9 has 2 bytes, not 4", Assert.Throws<NetlinkException>(() =>
    {
        var reader = new AttributeReader(Bytes("06 00 09 00 01 02 00 00"));
        reader.MoveNext();
        reader.U32();
    }).Message, StringComparison.Ordinal);

    static List<(int, string)> Read(byte[] bytes)
    {
        var found = new List<(int, string)>();
        var reader = new AttributeReader(bytes);
        while (reader.MoveNext())
        {
            found.Add((reader.Type, Convert.ToHexString(reader.Value)));
        }

        return found;
    }
}
