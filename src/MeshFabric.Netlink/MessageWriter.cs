using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace MeshFabric.Netlink;

/// <summary>Writes netlink messages into one growing buffer; several may go out in one send.</summary>
/// <remarks>
/// Header (linux/netlink.h, struct nlmsghdr, host byte order): u32 length, u16 type, u16 flags, u32 sequence, u32 port.
/// Attribute (struct nlattr): u16 length with header, u16 type, payload, padding to 4 bytes. What would not fit that length is refused:
/// whoever writes long lists splits them over several messages.
/// </remarks>
public sealed class MessageWriter
{
    byte[] _buffer = new byte[4096];
    int _message = -1;

    public int Length { get; private set; }

    /// <summary>Messages begun since the last <see cref="Clear"/>.</summary>
    public int Count { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    public void Clear()
    {
        Length = 0;
        Count = 0;
        _message = -1;
    }

    public void Begin(ushort type, MessageFlags flags, uint sequence)
    {
        _message = Length;
        Count++;
        U32(0);
        U16(type);
        U16((ushort)flags);
        U32(sequence);
        U32(0);
    }

    public void End() => BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(_message), (uint)(Length - _message));

    public void U8(byte value) => Take(1)[0] = value;

    public void U16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Take(2), value);

    public void U32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4), value);

    public void Bytes(ReadOnlySpan<byte> value) => value.CopyTo(Take(value.Length));

    public void Attribute(int type, ReadOnlySpan<byte> value)
    {
        U16(AttributeLength(value.Length + 4));
        U16((ushort)type);
        Bytes(value);
        Pad();
    }

    public void AttributeU8(int type, byte value) => Attribute(type, [value]);

    public void AttributeU16(int type, ushort value)
    {
        Span<byte> bytes = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        Attribute(type, bytes);
    }

    public void AttributeU32(int type, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Attribute(type, bytes);
    }

    /// <summary>Network byte order, as nf_tables wants its numbers.</summary>
    public void AttributeU32BigEndian(int type, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        Attribute(type, bytes);
    }

    /// <summary>With a terminating zero.</summary>
    public void AttributeText(int type, string value) => Attribute(type, Encoding.UTF8.GetBytes(value + "\0"));

    public void AttributeAddress(int type, IPAddress address) => Attribute(type, address.GetAddressBytes());

    public int BeginNested(int type)
    {
        var start = Length;
        U16(0);
        U16((ushort)(type | Nested));
        return start;
    }

    public void EndNested(int start) => BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(start), AttributeLength(Length - start));

    static ushort AttributeLength(int length) => length <= ushort.MaxValue
        ? (ushort)length
        : throw new InvalidOperationException($"a netlink attribute holds at most {ushort.MaxValue} bytes, not {length}: split the message");

    const int Nested = 0x8000;

    void Pad()
    {
        while ((Length & 3) != 0)
        {
            U8(0);
        }
    }

    Span<byte> Take(int count)
    {
        if (Length + count > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, Length + count));
        }

        var span = _buffer.AsSpan(Length, count);
        span.Clear();
        Length += count;
        return span;
    }
}

/// <summary>NLM_F_* of linux/netlink.h.</summary>
[Flags]
public enum MessageFlags : ushort
{
    None = 0,
    Request = 0x1,
    Multi = 0x2,
    Ack = 0x4,
    DumpInterrupted = 0x10,
    Dump = 0x300,
    Replace = 0x100,
    Exclusive = 0x200,
    Create = 0x400,
    Append = 0x800,
}
