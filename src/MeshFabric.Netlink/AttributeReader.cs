using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace MeshFabric.Netlink;

/// <summary>Walks the attributes of a message.</summary>
/// <remarks>
/// A value that is too short, or an attribute that is longer than what is there, is a <see cref="NetlinkException"/>, never a read beyond:
/// half a message would otherwise pass for a smaller state than the kernel's.
/// </remarks>
public ref struct AttributeReader(ReadOnlySpan<byte> bytes)
{
    ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Without the nested and byte-order bits.</summary>
    public int Type { get; private set; } = 0;

    public ReadOnlySpan<byte> Value { get; private set; } = default;

    public bool MoveNext()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var length = _rest.Length < 4 ? 0 : BinaryPrimitives.ReadUInt16LittleEndian(_rest);
        if (length < 4 || length > _rest.Length)
        {
            throw NetlinkException.Malformed($"an attribute of {length} bytes where {_rest.Length} are left");
        }

        Type = BinaryPrimitives.ReadUInt16LittleEndian(_rest[2..]) & 0x3fff;
        Value = _rest[4..length];
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }

    public readonly AttributeReader Nested() => new(Value);

    public readonly byte U8() => Number(1)[0];

    public readonly ushort U16() => BinaryPrimitives.ReadUInt16LittleEndian(Number(2));

    public readonly uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Number(4));

    public readonly ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Number(8));

    public readonly string Text()
    {
        var end = Value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
    }

    /// <summary>Null for addresses that are neither IPv4 nor IPv6, such as those of tunnels of other kinds.</summary>
    public readonly IPAddress? Address() => Value.Length is 4 or 16 ? new IPAddress(Value) : null;

    readonly ReadOnlySpan<byte> Number(int length) =>
        Value.Length >= length ? Value : throw NetlinkException.Malformed($"attribute {Type} has {Value.Length} bytes, not {length}");
}
