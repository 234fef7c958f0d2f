using System.Buffers.Binary;
using System.Security.Cryptography;

namespace MeshFabric.Net;

/// <summary>What all gateways of the mesh know in one epoch, and nobody else: pre-shared keys are made from it. No JSON form; prints as "(mesh secret)".</summary>
public sealed class MeshSecret
{
    public const int Size = 32;

    readonly byte[] _bytes;

    public MeshSecret(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException($"a mesh secret has {Size} bytes, not {bytes.Length}", nameof(bytes));
        }

        _bytes = bytes.ToArray();
    }

    /// <summary>The secret itself: only for the agent's file and for sealing.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The key of one pair of devices, the same from either side (HKDF-SHA-256, RFC 5869): what one pair has tells nothing about another's.</summary>
    public PresharedKey KeyOf(PublicKey one, PublicKey other)
    {
        var (first, second) = one.CompareTo(other) < 0 ? (one, other) : (other, one);
        return new PresharedKey(HKDF.DeriveKey(HashAlgorithmName.SHA256, _bytes, PublicKey.Size, info: [.. "meshfabric pair 1"u8, .. first.Bytes, .. second.Bytes]));
    }

    /// <summary>For one gateway's eyes only. Whoever carries or stores it learns nothing.</summary>
    /// <param name="epoch">Opens for this one only.</param>
    public string Seal(PublicKey receiver, int epoch)
    {
        var once = PrivateKey.Generate();
        var sealedText = new byte[PublicKey.Size + Size + AesGcm.TagByteSizes.MaxSize];
        once.ToPublicKey().Bytes.CopyTo(sealedText);
        using var cipher = Cipher(once.Agree(receiver), once.ToPublicKey(), receiver, epoch);
        // The key is used once.
        cipher.Encrypt(stackalloc byte[AesGcm.NonceByteSizes.MaxSize], _bytes, sealedText.AsSpan(PublicKey.Size, Size), sealedText.AsSpan(PublicKey.Size + Size));
        return Convert.ToBase64String(sealedText);
    }

    /// <summary>What <see cref="Seal"/> made.</summary>
    /// <exception cref="FormatException">It is none, is for another gateway or another epoch, or was changed on its way.</exception>
    public static MeshSecret Open(string sealedText, PrivateKey receiver, int epoch)
    {
        try
        {
            var bytes = Convert.FromBase64String(sealedText);
            if (bytes.Length != PublicKey.Size + Size + AesGcm.TagByteSizes.MaxSize)
            {
                throw new FormatException($"a sealed mesh secret has {PublicKey.Size + Size + AesGcm.TagByteSizes.MaxSize} bytes, not {bytes.Length}");
            }

            var once = new PublicKey(bytes.AsSpan(0, PublicKey.Size));
            var opened = new byte[Size];
            using var cipher = Cipher(receiver.Agree(once), once, receiver.ToPublicKey(), epoch);
            cipher.Decrypt(stackalloc byte[AesGcm.NonceByteSizes.MaxSize], bytes.AsSpan(PublicKey.Size, Size), bytes.AsSpan(PublicKey.Size + Size), opened);
            return new MeshSecret(opened);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new FormatException($"the mesh secret of epoch {epoch} is not sealed for this gateway", e);
        }
    }

    // A fresh X25519 key for each box, hashed together with both public keys: the way of RFC 9180 (HPKE, base mode).
    static AesGcm Cipher(byte[] shared, PublicKey once, PublicKey receiver, int epoch)
    {
        Span<byte> number = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(number, epoch);
        return new AesGcm(HKDF.DeriveKey(HashAlgorithmName.SHA256, shared, 32, info: [.. "meshfabric mesh secret 1"u8, .. once.Bytes, .. receiver.Bytes, .. number]), AesGcm.TagByteSizes.MaxSize);
    }

    public override string ToString() => "(mesh secret)";
}
