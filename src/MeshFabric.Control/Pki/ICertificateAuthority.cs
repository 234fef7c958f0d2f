namespace MeshFabric.Control.Pki;

/// <summary>The mesh's own CA: signs agents' certificates for the broker. Its key never leaves the PKI directory.</summary>
public interface ICertificateAuthority
{
    /// <summary>The CA certificate, PEM.</summary>
    string CertificatePem { get; }

    /// <summary>SHA-256 of the CA certificate's DER, 64 lower-case hex digits: what join tokens carry and agents pin.</summary>
    string Fingerprint { get; }

    /// <summary>Signs a client certificate with exactly the subject <paramref name="commonName"/>, whatever the request asked for.</summary>
    /// <exception cref="FormatException">The request is not PKCS#10 PEM with an ECDSA P-256 key and a valid self-signature.</exception>
    string SignClientCertificate(string certificateRequestPem, string commonName);

    /// <summary>A secret that only who has the CA's key can make: the same for the same purpose and salt (HKDF-SHA-256, RFC 5869).</summary>
    byte[] DeriveSecret(string purpose, ReadOnlySpan<byte> salt, int length);
}
