using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MeshFabric.Contracts.Http;

/// <summary>Everything an agent needs to enrol, in one string: <c>mfj1_</c> and base64url of a small JSON object.</summary>
/// <param name="Server">Base URL of the control service.</param>
/// <param name="CertificateAuthorityFingerprint">SHA-256 of the CA certificate's DER, 64 lower-case hex digits: what the agent pins.</param>
/// <param name="Id">Public part.</param>
/// <param name="Secret">Only its SHA-256 is stored.</param>
public sealed record JoinToken(
    [property: JsonPropertyName("u")] string Server,
    [property: JsonPropertyName("f")] string CertificateAuthorityFingerprint,
    [property: JsonPropertyName("i")] string Id,
    [property: JsonPropertyName("s")] string Secret)
{
    const string Prefix = "mfj1_";

    /// <summary>The secret in full: print it once, to the person who asked for it.</summary>
    public string Encode() => Prefix + Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(this));

    public static bool TryDecode(string? text, [NotNullWhen(true)] out JoinToken? token)
    {
        token = null;
        var trimmed = text?.Trim() ?? "";
        if (!trimmed.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return false;
        }

        try
        {
            var json = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(trimmed.AsSpan(Prefix.Length)));
            var read = JsonSerializer.Deserialize<JoinToken>(json);
            token = read is { Server.Length: > 0, CertificateAuthorityFingerprint.Length: 64, Id.Length: > 0, Secret.Length: > 0 } ? read : null;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            return false;
        }

        return token is not null;
    }

    public override string ToString() => $"(join token {Id})";
}
