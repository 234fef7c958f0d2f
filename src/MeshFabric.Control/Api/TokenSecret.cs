using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace MeshFabric.Control.Api;

/// <summary>The secret part of tokens: 256 random bits, so that a plain SHA-256 is enough to keep at rest.</summary>
public static class TokenSecret
{
    static readonly byte[] NoHash = new byte[SHA256.HashSizeInBytes];

    public static string New() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    /// <summary>In constant time, also when there is no such token (<paramref name="hash"/> null).</summary>
    public static bool Matches(string secret, byte[]? hash) => CryptographicOperations.FixedTimeEquals(Hash(secret), hash ?? NoHash) && hash is not null;
}
