using MeshFabric.Net;

namespace MeshFabric.Netlink.NfTables;

/// <summary>Writes the expressions of nf_tables rules (linux/netfilter/nf_tables.h). Pure.</summary>
/// <remarks>
/// An expression is NFTA_LIST_ELEM = 1 { NFTA_EXPR_NAME = 1 text, NFTA_EXPR_DATA = 2 { its attributes } }; all numbers are big-endian.
/// Everything works in register 1 (NFT_REG_1, 16 bytes), which holds an IPv6 address.
/// </remarks>
readonly struct RuleWriter(MessageWriter writer)
{
    const int ListElement = 1, ExpressionName = 1, ExpressionData = 2, DataValue = 1, DataVerdict = 2;
    const uint Register = 1, VerdictRegister = 0;

    /// <summary>Loads a fact about the packet (NFT_META_*).</summary>
    public void Meta(MetaKey key)
    {
        var (element, data) = Begin("meta");
        writer.AttributeU32BigEndian(1, Register);
        writer.AttributeU32BigEndian(2, (uint)key);
        End(element, data);
    }

    /// <summary>Ends the rule unless the register begins with, or is at least or at most, these bytes.</summary>
    public void Compare(Comparison comparison, ReadOnlySpan<byte> value)
    {
        var (element, data) = Begin("cmp");
        writer.AttributeU32BigEndian(1, Register);
        writer.AttributeU32BigEndian(2, (uint)comparison);
        Value(3, value);
        End(element, data);
    }

    /// <summary>Loads bytes of the packet.</summary>
    public void Load(PayloadBase from, int offset, int length)
    {
        var (element, data) = Begin("payload");
        writer.AttributeU32BigEndian(1, Register);
        Position(from, offset, length);
        End(element, data);
    }

    /// <summary>Writes the register into the packet and adds the difference to the Internet checksum (RFC 1624) at <paramref name="checksumOffset"/>.</summary>
    public void Store(PayloadBase to, int offset, int length, int checksumOffset)
    {
        const uint internetChecksum = 1;
        var (element, data) = Begin("payload");
        writer.AttributeU32BigEndian(5, Register);
        Position(to, offset, length);
        writer.AttributeU32BigEndian(6, internetChecksum);
        writer.AttributeU32BigEndian(7, (uint)checksumOffset);
        writer.AttributeU32BigEndian(8, 0);
        End(element, data);
    }

    /// <summary>register = (register and mask) xor bits.</summary>
    public void Bitwise(ReadOnlySpan<byte> mask, ReadOnlySpan<byte> bits)
    {
        var (element, data) = Begin("bitwise");
        writer.AttributeU32BigEndian(1, Register);
        writer.AttributeU32BigEndian(2, Register);
        writer.AttributeU32BigEndian(3, (uint)mask.Length);
        Value(4, mask);
        Value(5, bits);
        End(element, data);
    }

    /// <summary>Ends the rule unless the address at this place is in the prefix.</summary>
    public void MatchPrefix(PayloadBase from, int offset, Cidr prefix)
    {
        var (network, _) = Masks(prefix);
        Load(from, offset, network.Length);
        Bitwise(network, new byte[network.Length]);
        Compare(Comparison.Equal, prefix.Address.GetAddressBytes());
    }

    /// <summary>Replaces the prefix of the address at this place and keeps its host bits.</summary>
    public void SetPrefix(PayloadBase at, int offset, Cidr prefix, int checksumOffset)
    {
        var (_, host) = Masks(prefix);
        Load(at, offset, host.Length);
        Bitwise(host, prefix.Address.GetAddressBytes());
        Store(at, offset, host.Length, checksumOffset);
    }

    /// <summary>Goes to another chain, and comes back after it.</summary>
    public void Jump(string chain)
    {
        const int jump = -3;
        Verdict(jump, chain);
    }

    /// <summary>Ends the walk through this base chain; the packet goes on.</summary>
    public void Accept()
    {
        const int accept = 1;
        Verdict(accept, null);
    }

    void Verdict(int code, string? chain)
    {
        var (element, data) = Begin("immediate");
        writer.AttributeU32BigEndian(1, VerdictRegister);
        var value = writer.BeginNested(2);
        var verdict = writer.BeginNested(DataVerdict);
        writer.AttributeU32BigEndian(1, unchecked((uint)code));
        if (chain is not null)
        {
            writer.AttributeText(2, chain);
        }

        writer.EndNested(verdict);
        writer.EndNested(value);
        End(element, data);
    }

    void Position(PayloadBase place, int offset, int length)
    {
        writer.AttributeU32BigEndian(2, (uint)place);
        writer.AttributeU32BigEndian(3, (uint)offset);
        writer.AttributeU32BigEndian(4, (uint)length);
    }

    void Value(int type, ReadOnlySpan<byte> value)
    {
        var nested = writer.BeginNested(type);
        writer.Attribute(DataValue, value);
        writer.EndNested(nested);
    }

    (int Element, int Data) Begin(string name)
    {
        var element = writer.BeginNested(ListElement);
        writer.AttributeText(ExpressionName, name);
        return (element, writer.BeginNested(ExpressionData));
    }

    void End(int element, int data)
    {
        writer.EndNested(data);
        writer.EndNested(element);
    }

    static (byte[] Network, byte[] Host) Masks(Cidr prefix)
    {
        var bytes = prefix.MaxLength / 8;
        var (network, host) = (new byte[bytes], new byte[bytes]);
        for (var i = 0; i < bytes; i++)
        {
            var bits = Math.Clamp(prefix.Length - (i * 8), 0, 8);
            network[i] = (byte)(0xff << (8 - bits));
            host[i] = (byte)~network[i];
        }

        return (network, host);
    }
}

/// <summary>NFT_META_*.</summary>
enum MetaKey : uint
{
    InputName = 6,
    OutputName = 7,
    TransportProtocol = 16,
}

/// <summary>NFT_CMP_*.</summary>
enum Comparison : uint
{
    Equal = 0,
    AtMost = 3,
    AtLeast = 5,
}

/// <summary>NFT_PAYLOAD_*: what offsets count from.</summary>
enum PayloadBase : uint
{
    Network = 1,
    Transport = 2,
}
