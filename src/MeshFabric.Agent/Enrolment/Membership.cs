using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Agent.Enrolment;

/// <summary>Asks the control service by HTTPS whether this gateway was removed: one that was away when it was told to leave cannot log in to the broker any more.</summary>
/// <remarks>Only a plain "removed" (410) counts. A control service that cannot be reached, or that does not know us, is no reason to give up what carries traffic.</remarks>
public sealed class Membership(AgentStateDirectory state, TimeProvider time)
{
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    long? _askedAt;

    /// <summary>Why this gateway is no longer part of the mesh; null when it is, when that cannot be told, or when it was asked within the last 5 s.</summary>
    public async Task<string?> RemovedAsync(CancellationToken cancellationToken)
    {
        if (_askedAt is { } at && time.GetElapsedTime(at) < Pause)
        {
            return null;
        }

        _askedAt = time.GetTimestamp();
        try
        {
            var identity = state.ReadIdentity();
            using var authority = X509CertificateLoader.LoadCertificateFromFile(state.BrokerAuthorityFile);
            using var http = new HttpClient(new SocketsHttpHandler
            {
                UseProxy = false,
                ConnectTimeout = Limit,
                SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = PinnedAuthority.Validate(authority) },
            })
            {
                Timeout = Limit,
            };
            using var answer = await http.GetAsync(new Uri($"{identity.Server.TrimEnd('/')}{Api.Prefix}/enrolments/{identity.GatewayId}"), cancellationToken);
            return answer.StatusCode == HttpStatusCode.Gone && await answer.Content.ReadFromJsonAsync<Problem>(MeshJson.Lenient, cancellationToken) is { Code: "gateway-removed" } problem
                ? problem.Detail
                : null;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or AgentStateException or IOException or CryptographicException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }
}
