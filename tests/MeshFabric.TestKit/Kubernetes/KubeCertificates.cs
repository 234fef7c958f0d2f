using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>The files that the components of one cluster trust each other by; made once, in <c>pki/</c>.</summary>
sealed class KubeCertificates(string directory)
{
    static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly DateTimeOffset Until = new(2099, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public string Path(string file) => System.IO.Path.Combine(directory, file);

    public void Create(IPAddress address)
    {
        Directory.CreateDirectory(directory);
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=private-kubernetes", caKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        using var ca = request.CreateSelfSigned(From, Until);
        Write("ca.crt", ca.ExportCertificatePem());
        Issue(ca, "apiserver", "CN=kube-apiserver", address);
        Issue(ca, "admin", "CN=admin, O=system:masters", null);
        Issue(ca, "controller-manager", "CN=system:kube-controller-manager", null);
        using var accounts = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Write("accounts.key", accounts.ExportECPrivateKeyPem());
        Write("accounts.pub", accounts.ExportSubjectPublicKeyInfoPem());
    }

    public string Kubeconfig(string server, string user) =>
        $"""
        apiVersion: v1
        kind: Config
        current-context: private
        contexts: [{"{"}name: private, context: {"{"}cluster: private, user: {user}{"}}"}]
        clusters: [{"{"}name: private, cluster: {"{"}server: "{server}", certificate-authority-data: {Base64("ca.crt")}{"}}"}]
        users: [{"{"}name: {user}, user: {"{"}client-certificate-data: {Base64(user + ".crt")}, client-key-data: {Base64(user + ".key")}{"}}"}]

        """;

    void Issue(X509Certificate2 ca, string name, string subject, IPAddress? serverAddress)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        if (serverAddress is not null)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(serverAddress);
            foreach (var dnsName in new[] { "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc" })
            {
                names.AddDnsName(dnsName);
            }

            if (!IPAddress.IsLoopback(serverAddress))
            {
                names.AddIpAddress(IPAddress.Loopback);
            }

            request.CertificateExtensions.Add(names.Build());
        }

        using var certificate = request.Create(ca, From, Until, RandomNumberGenerator.GetBytes(16));
        Write(name + ".crt", certificate.ExportCertificatePem());
        Write(name + ".key", key.ExportECPrivateKeyPem());
    }

    /// <summary>Readable by us alone, from its first byte on.</summary>
    public static void WriteSecret(string path, string text)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var writer = new StreamWriter(path, options);
        writer.Write(text);
    }

    void Write(string file, string text) => WriteSecret(Path(file), text + "\n");

    string Base64(string file) => Convert.ToBase64String(File.ReadAllBytes(Path(file)));
}
