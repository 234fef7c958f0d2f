using System.Formats.Asn1;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace MeshFabric.Control.Pki;

/// <summary>The CA in a PKI directory.</summary>
public sealed class CertificateAuthority : ICertificateAuthority, IDisposable
{
    const string P256 = "1.2.840.10045.3.1.7";
    static readonly TimeSpan ClientLifetime = TimeSpan.FromDays(365);

    readonly X509Certificate2 _authority;
    readonly TimeProvider _time;

    public CertificateAuthority(string directory, TimeProvider time)
    {
        _authority = PkiDirectory.Load(directory, PkiDirectory.Authority);
        _time = time;
        CertificatePem = _authority.ExportCertificatePem();
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(_authority.RawData));
    }

    public string CertificatePem { get; }

    public string Fingerprint { get; }

    public string SignClientCertificate(string certificateRequestPem, string commonName)
    {
        CertificateRequest asked;
        try
        {
            // Checks the request's self-signature: whoever asks has the key.
            asked = CertificateRequest.LoadSigningRequestPem(certificateRequestPem, HashAlgorithmName.SHA256);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or AsnContentException)
        {
            throw new FormatException("the certificate request must be PKCS#10 in PEM with a valid signature", e);
        }

        using var key = asked.PublicKey.GetECDsaPublicKey();
        if (key is null || key.ExportParameters(false).Curve.Oid.Value is not P256)
        {
            throw new FormatException("the certificate request's key must be ECDSA P-256");
        }

        // Only the key is taken from the request: name and extensions are ours to decide.
        var request = new CertificateRequest(new X500DistinguishedName($"CN={commonName}"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        var now = _time.GetUtcNow();
        using var certificate = request.Create(_authority, now.AddMinutes(-5), Min(now + ClientLifetime, _authority.NotAfter), RandomNumberGenerator.GetBytes(16));
        return certificate.ExportCertificatePem();
    }

    public byte[] DeriveSecret(string purpose, ReadOnlySpan<byte> salt, int length)
    {
        using var key = _authority.GetECDsaPrivateKey() ?? throw new CryptographicException("the CA's key must be ECDSA");
        var secret = key.ExportParameters(true).D!;
        try
        {
            return HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, length, salt.ToArray(), Encoding.UTF8.GetBytes(purpose));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    public void Dispose() => _authority.Dispose();

    static DateTimeOffset Min(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;
}

/// <summary>Makes and reads the files of a PKI directory.</summary>
public static class PkiDirectory
{
    public const string Authority = "ca";
    public const string Control = "control";
    public const string Broker = "broker";

    static readonly TimeSpan AuthorityLifetime = TimeSpan.FromDays(3650);
    static readonly TimeSpan ServerLifetime = TimeSpan.FromDays(730);

    /// <summary>Makes what is missing; what is there stays. Returns the names of the files it made.</summary>
    public static IReadOnlyList<string> Create(string directory, IReadOnlyList<string> names, IReadOnlyList<IPAddress> addresses, TimeProvider time)
    {
        Directory.CreateDirectory(directory);
        var made = new List<string>();
        var now = time.GetUtcNow();
        if (!File.Exists(Path.Combine(directory, Authority + ".key")))
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=MeshFabric CA", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
            request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
            request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
            using var certificate = request.CreateSelfSigned(now.AddMinutes(-5), now + AuthorityLifetime);
            Write(directory, Authority, certificate.ExportCertificatePem(), key, made);
        }

        using var authority = Load(directory, Authority);
        foreach (var server in new[] { Control, Broker }.Where(s => !File.Exists(Path.Combine(directory, s + ".key"))))
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest($"CN=meshfabric-{server}", key, HashAlgorithmName.SHA256);
            var alternatives = new SubjectAlternativeNameBuilder();
            names.ToList().ForEach(alternatives.AddDnsName);
            addresses.ToList().ForEach(alternatives.AddIpAddress);
            request.CertificateExtensions.Add(alternatives.Build());
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
            request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
            using var certificate = request.Create(authority, now.AddMinutes(-5), now + ServerLifetime, RandomNumberGenerator.GetBytes(16));
            Write(directory, server, certificate.ExportCertificatePem(), key, made);
        }

        return made;
    }

    /// <summary>A certificate with its key.</summary>
    /// <exception cref="FileNotFoundException">The message says how to make it.</exception>
    public static X509Certificate2 Load(string directory, string name)
    {
        var certificate = Path.Combine(directory, name + ".crt");
        var key = Path.Combine(directory, name + ".key");
        if (!File.Exists(certificate) || !File.Exists(key))
        {
            throw new FileNotFoundException($"{certificate} or its key is missing: run 'meshfabric-control pki create --directory {directory} --name HOST'");
        }

        return X509Certificate2.CreateFromPemFile(certificate, key);
    }

    static void Write(string directory, string name, string certificatePem, ECDsa key, List<string> made)
    {
        var keyFile = Path.Combine(directory, name + ".key");
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var stream = new FileStream(keyFile, options))
        using (var writer = new StreamWriter(stream))
        {
            writer.WriteLine(key.ExportPkcs8PrivateKeyPem());
        }

        File.WriteAllText(Path.Combine(directory, name + ".crt"), certificatePem + "\n");
        made.Add(name + ".key");
        made.Add(name + ".crt");
    }
}
