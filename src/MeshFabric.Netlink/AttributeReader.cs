using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace MeshFabric.Netlink;

/// <summary>Walks the attributes of a message; malformed input ends the walk, it never reads beyond.</summary>
public ref struct AttributeReader(ReadOnlySpan<byte> bytes)
{
    ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Without the nested and byte-order bits.</summary>
    public int Type { get; private set; } = 0;

    public ReadOnlySpan<byte> Value { get; private set; } = default;

    public bool MoveNext()
    {
        if (_rest.Length < 4)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt16LittleEndian(_rest);
        if (length < 4 || length > _rest.Length)
        {
            _rest = default;
            return false;
        }

        Type = BinaryPrimitives.ReadUInt16LittleEndian(_rest[2..]) & 0x3fff;
        Value = _rest[4..length];
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }

    public readonly AttributeReader Nested() => new(Value);

    public readonly byte U8() => Value.Length >= 1 ? Value[0] : (byte)0;

    public readonly ushort U16() => Value.Length >= 2 ? BinaryPrimitives.ReadUInt16LittleEndian(Value) : (ushort)0;

    public readonly uint U32() => Value.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(Value) : 0;

    public readonly ulong U64() => Value.Length >= 8 ? BinaryPrimitives.ReadUInt64LittleEndian(Value) : 0;

    public readonly string Text()
    {
        var end = Value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
    }

    public readonly IPAddress? Address() => Value.Length is 4 or 16 ? new IPAddress(Value) : null;
}
