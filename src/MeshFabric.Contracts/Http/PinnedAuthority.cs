using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace MeshFabric.Contracts.Http;

/// <summary>Validates a server against exactly one CA and its name.</summary>
public static class PinnedAuthority
{
    public static RemoteCertificateValidationCallback Validate(X509Certificate2 authority) => (_, certificate, _, errors) =>
    {
        if (certificate is null || (errors & (SslPolicyErrors.RemoteCertificateNameMismatch | SslPolicyErrors.RemoteCertificateNotAvailable)) != 0)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        using var presented = new X509Certificate2(certificate);
        return chain.Build(presented);
    };
}
