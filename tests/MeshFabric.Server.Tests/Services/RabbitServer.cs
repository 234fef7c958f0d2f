using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Pki;
using MeshFabric.TestKit.Services;
using RabbitMQ.Client;

namespace MeshFabric.Server.Tests.Services;

/// <summary>The tests that need the broker: one after the other, for some of them kill it.</summary>
[CollectionDefinition(Name)]
public sealed class BrokerTests : ICollectionFixture<RabbitServer>
{
    public const string Name = "broker";
}

/// <summary>One private RabbitMQ for all tests that need one, and the PKI that it trusts; each control service takes a virtual host of its own.</summary>
public sealed class RabbitServer : IAsyncLifetime
{
    readonly string _directory = Path.Combine(Path.GetTempPath(), "mf-mq-" + Path.GetRandomFileName());
    int _hosts;

    public PrivateRabbit Server { get; private set; } = null!;

    /// <summary>CA, and certificates of control service and broker.</summary>
    public string Pki => _directory + "-pki";

    public async ValueTask InitializeAsync()
    {
        PkiDirectory.Create(Pki, ["localhost"], [IPAddress.Loopback], TimeProvider.System);
        Server = await PrivateRabbit.StartAsync(Options(_directory, Pki), TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DeleteAsync(CancellationToken.None);
        Directory.Delete(Pki, recursive: true);
    }

    public async Task<string> VirtualHostAsync(CancellationToken cancellationToken)
    {
        var name = $"mesh-{Interlocked.Increment(ref _hosts)}";
        await Server.CreateVirtualHostAsync(name, cancellationToken);
        return name;
    }

    /// <summary>As the administrator, by password.</summary>
    public async Task<IConnection> ConnectAsync(string virtualHost, CancellationToken cancellationToken)
    {
        using var authority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(Pki, "ca.crt"));
        return await new ConnectionFactory
        {
            HostName = "127.0.0.1",
            Port = Server.Port,
            VirtualHost = virtualHost,
            UserName = Server.Username,
            Password = Server.Password,
            AutomaticRecoveryEnabled = false,
            Ssl = new SslOption("127.0.0.1", enabled: true) { Version = SslProtocols.Tls12 | SslProtocols.Tls13, CertificateValidationCallback = PinnedAuthority.Validate(authority) },
        }.CreateConnectionAsync(cancellationToken);
    }

    public static PrivateRabbitOptions Options(string directory, string pki) =>
        new(directory, Path.Combine(pki, "ca.crt"), Path.Combine(pki, "broker.crt"), Path.Combine(pki, "broker.key"));
}
