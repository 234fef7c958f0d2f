using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MeshFabric.Net;

/// <summary>An IPv4 or IPv6 prefix in canonical form (RFC 4632, RFC 5952): no host bits, no alternative spellings.</summary>
/// <remarks>
/// Stricter than <see cref="IPNetwork"/>, which reads <c>10.0.0.1/8</c>, <c>10/8</c> and the octal <c>010.0.0.0/8</c>:
/// a text is accepted only if it prints back the same. IPv4-mapped IPv6 prefixes are refused.
/// A class, so that no default value can mean 0.0.0.0/0. Ordered by family, address, then length.
/// </remarks>
[JsonConverter(typeof(CidrJsonConverter))]
public sealed class Cidr : IEquatable<Cidr>, IComparable<Cidr>
{
    readonly UInt128 _bits;

    Cidr(AddressFamily family, UInt128 bits, int length)
    {
        Family = family;
        _bits = bits;
        Length = length;
    }

    /// <summary><see cref="AddressFamily.InterNetwork"/> or <see cref="AddressFamily.InterNetworkV6"/>.</summary>
    public AddressFamily Family { get; }

    /// <summary>Number of leading bits that are fixed: 0 to 32, or 0 to 128.</summary>
    public int Length { get; }

    public bool IsIPv4 => Family == AddressFamily.InterNetwork;

    /// <summary>32 or 128.</summary>
    public int MaxLength => IsIPv4 ? 32 : 128;

    /// <summary>The network address as a number; IPv4 in the low 32 bits.</summary>
    public UInt128 Bits => _bits;

    /// <summary>The first (network) address.</summary>
    public IPAddress Address => IPBits.ToAddress(_bits, Family);

    /// <summary>The last address.</summary>
    public IPAddress LastAddress => IPBits.ToAddress(_bits | HostMask, Family);

    UInt128 HostMask => Ones(MaxLength - Length);

    // Shifting by all 128 bits shifts by none.
    static UInt128 Ones(int count) => count == 128 ? UInt128.MaxValue : (UInt128.One << count) - UInt128.One;

    /// <summary>The prefix of one address: /32 or /128.</summary>
    public static Cidr Host(IPAddress address) => Of(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);

    /// <summary>The prefix of <paramref name="length"/> bits that holds <paramref name="address"/>; host bits are cleared.</summary>
    public static Cidr Of(IPAddress address, int length)
    {
        var max = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, max);
        return OfBits(address.AddressFamily, IPBits.FromAddress(address), length);
    }

    /// <summary>As <see cref="Of"/>, from the address as a number.</summary>
    public static Cidr OfBits(AddressFamily family, UInt128 bits, int length)
    {
        var max = family == AddressFamily.InterNetwork ? 32 : 128;
        return new Cidr(family, bits & ~Ones(max - length), length);
    }

    public static Cidr Parse(string text) => TryParse(text, out var cidr, out var error) ? cidr : throw new FormatException(error);

    public static bool TryParse(string? text, [NotNullWhen(true)] out Cidr? cidr) => TryParse(text, out cidr, out _);

    /// <summary>Reads a canonical prefix, or says in one sentence what is wrong and how to mend it.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Cidr? cidr, [NotNullWhen(false)] out string? error)
    {
        cidr = null;
        if (string.IsNullOrEmpty(text))
        {
            error = "a CIDR is needed, such as 10.10.0.0/16";
            return false;
        }

        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
        {
            error = $"'{text}' has no prefix length: write it as ADDRESS/LENGTH, such as 10.10.0.0/16";
            return false;
        }

        var addressText = text[..slash];
        var lengthText = text[(slash + 1)..];
        if (!IPAddress.TryParse(addressText, out var address) || addressText.Contains('%', StringComparison.Ordinal))
        {
            error = $"'{text}' does not begin with an IPv4 or IPv6 address";
            return false;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            error = $"'{text}' is an IPv4-mapped IPv6 prefix: write the IPv4 prefix itself";
            return false;
        }

        if (address.AddressFamily == AddressFamily.InterNetwork && address.ToString() != addressText)
        {
            // No guess here: 010.0.0.0 may mean 8.0.0.0 or 10.0.0.0, and 10 reads as 0.0.0.10.
            error = $"'{text}' is not in canonical form: an IPv4 address is four decimal numbers without leading zeros";
            return false;
        }

        var max = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        if (!int.TryParse(lengthText, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var length) || length > max)
        {
            error = $"'{text}' has the prefix length '{lengthText}': it must be a number from 0 to {max}";
            return false;
        }

        var result = Of(address, length);
        if (!result.Address.Equals(address))
        {
            error = $"'{text}' has bits set beyond its prefix length: did you mean {result}?";
            return false;
        }

        if (!string.Equals(result.ToString(), text, StringComparison.Ordinal))
        {
            error = $"'{text}' is not in canonical form: did you mean {result}?";
            return false;
        }

        cidr = result;
        error = null;
        return true;
    }

    public bool Contains(IPAddress address) =>
        address.AddressFamily == Family && (IPBits.FromAddress(address) & ~HostMask) == _bits;

    public bool Contains(Cidr other) => other.Family == Family && other.Length >= Length && (other._bits & ~HostMask) == _bits;

    public bool Overlaps(Cidr other) => Contains(other) || other.Contains(this);

    /// <summary>The same host within another prefix of equal length: the arithmetic of a remap.</summary>
    public IPAddress Translate(IPAddress address, Cidr to)
    {
        if (to.Family != Family || to.Length != Length)
        {
            throw new ArgumentException($"{to} is not of the same family and length as {this}", nameof(to));
        }

        return Contains(address)
            ? IPBits.ToAddress(to._bits | (IPBits.FromAddress(address) & HostMask), Family)
            : throw new ArgumentException($"{address} is not in {this}", nameof(address));
    }

    public bool Equals(Cidr? other) => other is not null && other.Family == Family && other.Length == Length && other._bits == _bits;

    public override bool Equals(object? obj) => Equals(obj as Cidr);

    public override int GetHashCode() => HashCode.Combine(Family, Length, _bits);

    public int CompareTo(Cidr? other)
    {
        if (other is null)
        {
            return 1;
        }

        var byFamily = MaxLength.CompareTo(other.MaxLength);
        if (byFamily != 0)
        {
            return byFamily;
        }

        var byAddress = _bits.CompareTo(other._bits);
        return byAddress != 0 ? byAddress : Length.CompareTo(other.Length);
    }

    public static bool operator ==(Cidr? left, Cidr? right) => left is null ? right is null : left.Equals(right);

    public static bool operator !=(Cidr? left, Cidr? right) => !(left == right);

    public override string ToString() => $"{Address}/{Length}";
}

sealed class CidrJsonConverter : JsonConverter<Cidr>
{
    public override Cidr Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        return Cidr.TryParse(text, out var cidr, out var error) ? cidr : throw new JsonException(error);
    }

    public override void Write(Utf8JsonWriter writer, Cidr value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
