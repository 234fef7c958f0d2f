using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MeshFabric.Net;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>The files that the components of one cluster trust each other by; made once, in <c>pki/</c>.</summary>
public sealed class KubeCertificates(string directory)
{
    static readonly string[] ServerNames = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
    static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly DateTimeOffset Until = new(2099, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public string Path(string file) => System.IO.Path.Combine(directory, file);

    public void Create(PrivateKubeApiOptions options)
    {
        Directory.CreateDirectory(directory);
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=private-kubernetes", caKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        using var ca = request.CreateSelfSigned(From, Until);
        Write("ca.crt", ca.ExportCertificatePem());
        // In-cluster clients call the server by the first address of the Service CIDR.
        Issue(ca, "apiserver", "CN=kube-apiserver", ServerNames, [options.Address, IPAddress.Loopback, FirstService(options.ServiceCidr)]);
        Issue(ca, "admin", "CN=admin, O=system:masters");
        Issue(ca, "controller-manager", "CN=system:kube-controller-manager");
        if (options.Kubelets.Count > 0)
        {
            Issue(ca, "scheduler", "CN=system:kube-scheduler");
            Issue(ca, "proxy", "CN=system:kube-proxy");
            Issue(ca, "apiserver-kubelet", "CN=kube-apiserver-kubelet-client, O=system:masters");
            Issue(ca, "front-proxy", "CN=front-proxy-client");
        }

        foreach (var kubelet in options.Kubelets)
        {
            Issue(ca, kubelet.Name, $"CN=system:node:{kubelet.Name}, O=system:nodes", [kubelet.Name], [kubelet.Address]);
        }

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

    static IPAddress FirstService(string serviceCidrs)
    {
        var cidr = Cidr.Parse(serviceCidrs.Split(',')[0]);
        return Cidr.OfBits(cidr.Family, cidr.Bits + 1, cidr.MaxLength).Address;
    }

    static void Names(CertificateRequest request, IReadOnlyList<string> names, IReadOnlyList<IPAddress> addresses)
    {
        if (names.Count > 0)
        {
            var builder = new SubjectAlternativeNameBuilder();
            foreach (var address in addresses.Distinct())
            {
                builder.AddIpAddress(address);
            }

            foreach (var name in names)
            {
                builder.AddDnsName(name);
            }

            request.CertificateExtensions.Add(builder.Build());
        }
    }

    void Issue(X509Certificate2 ca, string name, string subject, string[]? names = null, IPAddress[]? addresses = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        Names(request, names ?? [], addresses ?? []);
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
