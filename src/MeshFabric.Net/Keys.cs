using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Org.BouncyCastle.Math.EC.Rfc7748;

namespace MeshFabric.Net;

/// <summary>A Curve25519 public key (RFC 7748), 32 bytes, written in base64 as WireGuard's tools do.</summary>
[JsonConverter(typeof(PublicKeyJsonConverter))]
public sealed class PublicKey : IEquatable<PublicKey>, IComparable<PublicKey>
{
    /// <summary>Bytes in any WireGuard key.</summary>
    public const int Size = 32;

    readonly byte[] _bytes;

    public PublicKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException($"a public key has {Size} bytes, not {bytes.Length}", nameof(bytes));
        }

        _bytes = bytes.ToArray();
    }

    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>False for the few points of small order: whoever has none of the keys knows every secret that is shared with them (RFC 7748, 6.1).</summary>
    public bool IsUsable => X25519.CalculateAgreement([.. Enumerable.Repeat((byte)0x48, Size)], 0, _bytes, 0, new byte[Size], 0);

    public static PublicKey Parse(string base64) => TryParse(base64, out var key) ? key : throw new FormatException("a public key is 44 base64 characters that stand for 32 bytes");

    public static bool TryParse(string? base64, [NotNullWhen(true)] out PublicKey? key)
    {
        Span<byte> bytes = stackalloc byte[Size];
        key = base64 is { Length: 44 } && Convert.TryFromBase64String(base64, bytes, out var written) && written == Size ? new PublicKey(bytes) : null;
        return key is not null;
    }

    public bool Equals(PublicKey? other) => other is not null && other._bytes.AsSpan().SequenceEqual(_bytes);

    public override bool Equals(object? obj) => Equals(obj as PublicKey);

    public override int GetHashCode() => BitConverter.ToInt32(_bytes, 0);

    public int CompareTo(PublicKey? other) => other is null ? 1 : _bytes.AsSpan().SequenceCompareTo(other._bytes);

    public static bool operator ==(PublicKey? left, PublicKey? right) => left is null ? right is null : left.Equals(right);

    public static bool operator !=(PublicKey? left, PublicKey? right) => !(left == right);

    public override string ToString() => Convert.ToBase64String(_bytes);
}

/// <summary>A Curve25519 private key. Born on the gateway, stays there: it has no JSON form and prints as "(private key)".</summary>
public sealed class PrivateKey : IEquatable<PrivateKey>
{
    readonly byte[] _bytes;

    public PrivateKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != PublicKey.Size)
        {
            throw new ArgumentException($"a private key has {PublicKey.Size} bytes, not {bytes.Length}", nameof(bytes));
        }

        _bytes = bytes.ToArray();
        // RFC 7748 section 5: clamp, so that the bytes compare equal to what a device reports back.
        _bytes[0] &= 248;
        _bytes[31] = (byte)((_bytes[31] & 127) | 64);
    }

    /// <summary>The secret itself: only for the device and the agent's key file.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    public static PrivateKey Generate() => new(RandomNumberGenerator.GetBytes(PublicKey.Size));

    public PublicKey ToPublicKey()
    {
        var bytes = new byte[PublicKey.Size];
        X25519.ScalarMultBase(_bytes, 0, bytes, 0);
        return new PublicKey(bytes);
    }

    /// <summary>The secret that this key and another's public key share, the same from either side (RFC 7748, 6.1).</summary>
    /// <exception cref="ArgumentException">The public key is a point of small order: whoever sent it knows the secret without any key.</exception>
    public byte[] Agree(PublicKey other)
    {
        var shared = new byte[PublicKey.Size];
        return X25519.CalculateAgreement(_bytes, 0, other.Bytes.ToArray(), 0, shared, 0)
            ? shared
            : throw new ArgumentException($"{other} is no key that a secret can be shared with", nameof(other));
    }

    public bool Equals(PrivateKey? other) => other is not null && CryptographicOperations.FixedTimeEquals(_bytes, other._bytes);

    public override bool Equals(object? obj) => Equals(obj as PrivateKey);

    public override int GetHashCode() => ToPublicKey().GetHashCode();

    public override string ToString() => "(private key)";
}

/// <summary>A symmetric key mixed into a peer's handshakes. No JSON form; prints as "(preshared key)".</summary>
public sealed class PresharedKey : IEquatable<PresharedKey>
{
    readonly byte[] _bytes;

    public PresharedKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != PublicKey.Size)
        {
            throw new ArgumentException($"a preshared key has {PublicKey.Size} bytes, not {bytes.Length}", nameof(bytes));
        }

        _bytes = bytes.ToArray();
    }

    public ReadOnlySpan<byte> Bytes => _bytes;

    public static PresharedKey Generate() => new(RandomNumberGenerator.GetBytes(PublicKey.Size));

    public bool Equals(PresharedKey? other) => other is not null && CryptographicOperations.FixedTimeEquals(_bytes, other._bytes);

    public override bool Equals(object? obj) => Equals(obj as PresharedKey);

    public override int GetHashCode() => BitConverter.ToInt32(SHA256.HashData(_bytes), 0);

    public override string ToString() => "(preshared key)";
}

sealed class PublicKeyJsonConverter : JsonConverter<PublicKey>
{
    public override PublicKey Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        PublicKey.TryParse(reader.TokenType == JsonTokenType.String ? reader.GetString() : null, out var key)
            ? key
            : throw new JsonException("a public key is 44 base64 characters that stand for 32 bytes");

    public override void Write(Utf8JsonWriter writer, PublicKey value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
