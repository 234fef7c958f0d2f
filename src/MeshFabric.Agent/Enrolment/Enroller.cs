using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;
using MeshFabric.ServiceDefaults;

namespace MeshFabric.Agent.Enrolment;

/// <summary>Enrolment failed; the message says where, why and what to do.</summary>
public sealed class EnrolmentException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>What this host wants to be.</summary>
/// <param name="Cluster">Null: the one that the token names.</param>
/// <param name="Endpoints">Candidates in order of preference; none: this gateway only dials out.</param>
/// <param name="Inventory">As it is now; null leaves the cluster as it was created.</param>
/// <param name="Source">Where the inventory is read from then on; null for nowhere.</param>
public sealed record EnrolmentRequest(string? Cluster, string Gateway, IReadOnlyList<string> Endpoints, int ListenPort, InventoryDocument? Inventory, InventorySettings? Source)
{
    /// <summary>The Kubernetes node that this agent is on; null for other hosts.</summary>
    public string? Node { get; init; }

    /// <inheritdoc cref="AgentIdentity.IsLeaf"/>
    public bool IsLeaf { get; init; }
}

/// <summary>Turns a join token into an identity: makes the keys here, asks the control service, writes the state directory.</summary>
public static class Enroller
{
    public static async Task<AgentIdentity> JoinAsync(AgentStateDirectory state, JoinToken token, EnrolmentRequest wanted, CancellationToken cancellationToken)
    {
        if (state.IsEnrolled)
        {
            throw new EnrolmentException($"{state.Directory} belongs to an enrolled gateway already: run 'meshfabric-agent leave --state {state.Directory}' first, or give another --state");
        }

        state.Create();
        using var authority = await FetchAuthorityAsync(token, cancellationToken);
        using var agentKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=agent", agentKey, HashAlgorithmName.SHA256);
        var enrolment = new CreateEnrolment(token.Encode(), wanted.Cluster, wanted.Gateway, state.DeviceKey().ToPublicKey().ToString(), wanted.ListenPort, wanted.Endpoints,
            request.CreateSigningRequestPem(), ProductVersion.Current, wanted.Inventory)
        {
            Node = wanted.Node,
            Leaf = wanted.IsLeaf ? true : null,
        };
        var answer = await PostAsync(token, authority, enrolment, cancellationToken);
        var identity = new AgentIdentity(AgentIdentity.CurrentFormat, token.Server, answer.ClusterId, answer.Cluster, answer.GatewayId, answer.Gateway, wanted.ListenPort, answer.Broker, wanted.Source) { IsLeaf = wanted.IsLeaf };
        state.Write(state.AgentKeyFile, agentKey.ExportPkcs8PrivateKeyPem() + "\n");
        state.Write(state.AgentCertificateFile, answer.Certificate + "\n");
        state.Write(state.BrokerAuthorityFile, answer.BrokerCertificateAuthority + "\n");
        state.WriteFacts(answer.Facts);
        // Last: a directory with an identity is complete, and a running agent starts by it.
        state.WriteIdentity(identity);
        return identity;
    }

    // Nothing is trusted before the CA's fingerprint is the one in the token.
    static async Task<X509Certificate2> FetchAuthorityAsync(JoinToken token, CancellationToken cancellationToken)
    {
        // Only this one request, whose answer is checked against the fingerprint and carries no secret of ours.
        using var http = Client(token, (_, certificate, _, _) => certificate is not null);
        var pem = await TryAsync(token, () => http.GetStringAsync(new Uri("ca.pem", UriKind.Relative), cancellationToken));
        X509Certificate2 authority;
        try
        {
            authority = X509Certificate2.CreateFromPem(pem);
        }
        catch (CryptographicException e)
        {
            throw new EnrolmentException($"{token.Server} does not answer as a MeshFabric control service", e);
        }

        return Convert.ToHexStringLower(SHA256.HashData(authority.RawData)) == token.CertificateAuthorityFingerprint
            ? authority
            : throw new EnrolmentException($"the CA of {token.Server} is not the one that the join token names: somebody stands in between, or the control service was set up anew; make a new token (mfctl token create)");
    }

    static async Task<EnrolmentResource> PostAsync(JoinToken token, X509Certificate2 authority, CreateEnrolment enrolment, CancellationToken cancellationToken)
    {
        using var http = Client(token, PinnedAuthority.Validate(authority));
        using var response = await TryAsync(token, () => http.PostAsJsonAsync(new Uri("api/v1/enrolments", UriKind.Relative), enrolment, MeshJson.Options, cancellationToken));
        if (response.IsSuccessStatusCode)
        {
            return await response.Content.ReadFromJsonAsync<EnrolmentResource>(MeshJson.Lenient, cancellationToken)
                ?? throw new EnrolmentException($"{token.Server} gave an empty answer");
        }

        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        try
        {
            var problem = JsonSerializer.Deserialize<Problem>(text, MeshJson.Lenient)!;
            throw new EnrolmentException($"{token.Server} refused the enrolment: {problem.Detail} [{problem.Code}, request {problem.RequestId}]");
        }
        catch (JsonException e)
        {
            throw new EnrolmentException($"{token.Server} refused the enrolment with status {(int)response.StatusCode}", e);
        }
    }

    static HttpClient Client(JoinToken token, RemoteCertificateValidationCallback validate) => new(new SocketsHttpHandler
    {
        ConnectTimeout = TimeSpan.FromSeconds(10),
        UseProxy = false,
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = validate },
    })
    {
        BaseAddress = new Uri(token.Server.TrimEnd('/') + "/"),
        Timeout = TimeSpan.FromSeconds(60),
    };

    static async Task<T> TryAsync<T>(JoinToken token, Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (HttpRequestException e)
        {
            var reason = e.InnerException switch
            {
                AuthenticationException a => $"its certificate was not accepted: {a.Message}",
                SocketException s => s.Message,
                _ => e.Message,
            };
            throw new EnrolmentException($"the control service {token.Server} cannot be reached by TCP from here: {reason}. Check the address, firewalls and that meshfabric-control runs", e);
        }
        catch (TaskCanceledException e) when (e.InnerException is TimeoutException)
        {
            throw new EnrolmentException($"the control service {token.Server} did not answer in time", e);
        }
    }
}
