using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Pki;
using MeshFabric.Server.Tests.Services;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>Who gets into the broker: exactly whoever holds the key of a certificate that our CA signed for a live gateway.</summary>
[Collection(BrokerTests.Name)]
public sealed class LoginTests(TwoAgents mesh) : IClassFixture<TwoAgents>
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_enrolled_agent_gets_in_by_its_certificate_without_any_password()
    {
        await using var connection = await mesh.ConnectAsAAsync();

        Assert.True(connection.IsOpen);
    }

    [Fact]
    public async Task A_certificate_of_a_foreign_CA_with_the_same_name_is_refused()
    {
        var directory = Directory.CreateTempSubdirectory("mf-foreign-").FullName;
        PkiDirectory.Create(directory, ["localhost"], [IPAddress.Loopback], TimeProvider.System);
        using var foreign = new CertificateAuthority(directory, TimeProvider.System);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = X509Certificate2.CreateFromPem(foreign.SignClientCertificate(new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256).CreateSigningRequestPem(), mesh.A.User));
        using var certificate = signed.CopyWithPrivateKey(key);
        using var loaded = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);

        await Assert.ThrowsAsync<BrokerUnreachableException>(() => mesh.A.ConnectAsync(Cancel, f => f.Ssl.Certs = [loaded]));

        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task A_self_signed_certificate_with_the_same_name_is_refused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var own = new CertificateRequest($"CN={mesh.A.User}", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(1));
        using var loaded = X509CertificateLoader.LoadPkcs12(own.Export(X509ContentType.Pkcs12), null);

        await Assert.ThrowsAsync<BrokerUnreachableException>(() => mesh.A.ConnectAsync(Cancel, f => f.Ssl.Certs = [loaded]));
    }

    [Fact]
    public async Task Nobody_gets_in_without_a_certificate() =>
        await Assert.ThrowsAsync<BrokerUnreachableException>(() => mesh.A.ConnectAsync(Cancel, f => f.Ssl.Certs = null));

    [Theory]
    [InlineData("")]
    [InlineData("password")]
    public async Task No_password_opens_an_agent_s_account_with_or_without_a_certificate(string password)
    {
        foreach (var agent in new[] { mesh.A, mesh.B })
        {
            foreach (var certificates in new X509CertificateCollection?[] { null, [mesh.A.Certificate()] })
            {
                var refused = await Assert.ThrowsAsync<BrokerUnreachableException>(() => mesh.A.ConnectAsync(Cancel, f =>
                {
                    f.AuthMechanisms = [new PlainMechanismFactory()];
                    f.UserName = agent.User;
                    f.Password = password;
                    f.Ssl.Certs = certificates;
                }));
                Assert.IsType<AuthenticationFailureException>(refused.InnerException);
            }
        }
    }

    [Fact]
    public async Task Who_says_to_be_B_with_A_s_certificate_is_A()
    {
        await using var connection = await mesh.A.ConnectAsync(Cancel, f => f.AuthMechanisms = [new ClaimingMechanism(mesh.B.User)]);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        // The positive twin first: this is A's session.
        await channel.BasicGetAsync(BrokerNames.Down(mesh.A.Id), autoAck: false, Cancel);

        var refused = await Record.ExceptionAsync(() => channel.BasicGetAsync(BrokerNames.Down(mesh.B.Id), autoAck: true, Cancel));

        Assert.Equal(403, Wire.ReplyCode(refused));
    }

    [Fact]
    public async Task No_other_virtual_host_is_open_to_an_agent()
    {
        var other = await mesh.Rabbit.VirtualHostAsync(Cancel);
        foreach (var host in new[] { "/", other })
        {
            var refused = await Record.ExceptionAsync(async () =>
            {
                await using var connection = await mesh.A.ConnectAsync(Cancel, f => f.VirtualHost = host);
                await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
            });
            Assert.Equal(530, Wire.ReplyCode(refused));
        }

        await mesh.Rabbit.Server.DeleteVirtualHostAsync(other, Cancel);
    }

    [Fact]
    public async Task A_certificate_request_that_asks_for_B_s_name_gets_its_own_instead()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = new CertificateRequest($"CN={mesh.B.User}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(mesh.B.User);
        asked.CertificateExtensions.Add(names.Build());
        asked.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, true));
        var token = (await mesh.Control.Api.CreateJoinTokenAsync(new CreateJoinToken("aurora", null, null, null), Cancel)).Status.Token;
        using var http = mesh.Control.Settings.Http(null);

        var response = await http.PostAsync("/api/v1/enrolments", Json(new CreateEnrolment(token, "aurora", "greedy", Net.PrivateKey.Generate().ToPublicKey().ToString(), 51820, [], asked.CreateSigningRequestPem(), "test", null)), Cancel);

        var enrolled = System.Text.Json.JsonSerializer.Deserialize<EnrolmentResource>(await response.Content.ReadAsStringAsync(Cancel), MeshJson.Lenient)!;
        using var certificate = X509Certificate2.CreateFromPem(enrolled.Certificate);
        Assert.Equal($"CN={BrokerNames.User(enrolled.GatewayId)}", certificate.Subject);
        Assert.NotEqual(mesh.B.Id, enrolled.GatewayId);
        Assert.False(certificate.Extensions.OfType<X509BasicConstraintsExtension>().Single().CertificateAuthority);
        Assert.Empty(certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>());
    }

    [Fact]
    public async Task An_agent_refuses_a_broker_whose_certificate_another_CA_signed()
    {
        var directory = Directory.CreateTempSubdirectory("mf-foreign-").FullName;
        PkiDirectory.Create(directory, ["localhost"], [IPAddress.Loopback], TimeProvider.System);
        using var foreign = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(directory, "ca.crt"));

        await Assert.ThrowsAsync<BrokerUnreachableException>(() => mesh.A.ConnectAsync(Cancel, f => f.Ssl.CertificateValidationCallback = PinnedAuthority.Validate(foreign)));

        Directory.Delete(directory, recursive: true);
    }

    static StringContent Json<T>(T value) => new(System.Text.Json.JsonSerializer.Serialize(value, MeshJson.Options), Encoding.UTF8, "application/json");

    /// <summary>EXTERNAL that names another user in its answer.</summary>
    sealed class ClaimingMechanism(string user) : IAuthMechanismFactory, IAuthMechanism
    {
        public string Name => "EXTERNAL";

        public IAuthMechanism GetInstance() => this;

        public Task<byte[]> HandleChallengeAsync(byte[]? challenge, ConnectionConfig config, CancellationToken cancellationToken) => Task.FromResult(Encoding.UTF8.GetBytes(user));
    }
}
