using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MeshFabric.Contracts.Http;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;

namespace MeshFabric.Dashboard.Access;

/// <summary>The REST API of this very service, asked as anybody would: the dashboard can do nothing that the API does not let the token do.</summary>
public sealed class OwnApi : IDisposable
{
    const string ViewerHeader = "X-MeshFabric-Viewer";

    readonly IServer _server;
    readonly SocketsHttpHandler _handler;

    // Nobody else can say for whom they ask: it never leaves this process but over its own loopback connections.
    readonly string _secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <param name="certificate">What this service shows its callers: over loopback no name of it is asked for, so the certificate itself is.</param>
    public OwnApi(IServer server, Func<X509Certificate2> certificate)
    {
        _server = server;
        var own = new Lazy<byte[]>(() => certificate().RawData);
        _handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null && shown.GetRawCertData().AsSpan().SequenceEqual(own.Value) },
        };
    }

    /// <summary>Where the person is for whom the dashboard asks; null when it is not the dashboard that asks.</summary>
    public string? ViewerOf(HttpRequest request) =>
        request.Headers[ViewerHeader].ToString().Split(' ') is [var secret, var address] && CryptographicOperations.FixedTimeEquals(System.Text.Encoding.ASCII.GetBytes(secret), System.Text.Encoding.ASCII.GetBytes(_secret)) ? address : null;

    /// <summary>A client that asks with a token; connections are shared.</summary>
    /// <param name="viewer">Where the person is for whom it asks.</param>
    internal MeshClient For(string token, string viewer) => new(_handler, Address(), token, [new(ViewerHeader, $"{_secret} {viewer}")]);

    public void Dispose() => _handler.Dispose();

    Uri Address()
    {
        var listening = _server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? throw new InvalidOperationException("the service does not listen yet");
        var uri = new Uri(listening);
        var host = IPAddress.TryParse(uri.DnsSafeHost, out var address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) ? "127.0.0.1" : uri.Host;
        return new UriBuilder(uri.Scheme, host, uri.Port).Uri;
    }
}
