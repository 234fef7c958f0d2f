using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Control;
using RabbitMQ.Client;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>A gateway that enrolled by the product's own means, with its real certificate; what it does on the broker is up to the test.</summary>
public sealed class TestAgent
{
    readonly ControlSettings _settings;

    TestAgent(ControlSettings settings, AgentStateDirectory state, AgentIdentity identity)
    {
        _settings = settings;
        State = state;
        Identity = identity;
    }

    public AgentStateDirectory State { get; }
    public AgentIdentity Identity { get; }
    public string Id => Identity.GatewayId;
    public string User => $"agent-{Id}";

    /// <param name="podCidr">Of a new cluster; null when the cluster exists or has none.</param>
    public static async Task<TestAgent> JoinAsync(ControlSettings settings, string cluster, string gateway, string? podCidr, CancellationToken cancellationToken)
    {
        using var api = settings.Client();
        if (podCidr is not null)
        {
            await api.CreateClusterAsync(new CreateCluster(cluster, null, new CreateClusterSpec("site", null, null, null, [podCidr], null)), cancellationToken);
        }

        var token = (await api.CreateJoinTokenAsync(new CreateJoinToken(cluster, null, null, null), cancellationToken)).Status.Token;
        Assert.True(JoinToken.TryDecode(token, out var decoded));
        var state = new AgentStateDirectory(Path.Combine(settings.Folder, $"{cluster}-{gateway}"));
        var identity = await Enroller.JoinAsync(state, decoded, new EnrolmentRequest(cluster, gateway, ["192.0.2.1:51820"], 51820, null, null), cancellationToken);
        return new TestAgent(settings, state, identity);
    }

    public X509Certificate2 Certificate()
    {
        using var pem = X509Certificate2.CreateFromPemFile(State.AgentCertificateFile, State.AgentKeyFile);
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>Logs in by certificate, as agents do; <paramref name="alter"/> is for those who should not get in.</summary>
    public Task<IConnection> ConnectAsync(CancellationToken cancellationToken, Action<ConnectionFactory>? alter = null)
    {
        var authority = X509CertificateLoader.LoadCertificateFromFile(_settings.AuthorityFile);
        var factory = new ConnectionFactory
        {
            HostName = Identity.Broker.Host,
            Port = Identity.Broker.Port,
            VirtualHost = Identity.Broker.VirtualHost,
            AuthMechanisms = [new ExternalMechanismFactory()],
            AutomaticRecoveryEnabled = false,
            Ssl = new SslOption(Identity.Broker.Host, enabled: true)
            {
                Version = SslProtocols.Tls12 | SslProtocols.Tls13,
                Certs = [Certificate()],
                CertificateValidationCallback = PinnedAuthority.Validate(authority),
            },
        };
        alter?.Invoke(factory);
        return factory.CreateConnectionAsync(cancellationToken);
    }
}
