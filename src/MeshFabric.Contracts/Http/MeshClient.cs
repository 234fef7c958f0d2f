using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MeshFabric.Contracts.Http;

/// <summary>The control service refused a request.</summary>
public sealed class MeshApiException(Problem problem, Uri server) : Exception(problem.Detail)
{
    public Problem Problem { get; } = problem;

    public Uri Server { get; } = server;
}

/// <summary>The control service could not be reached; the message names address and reason.</summary>
public sealed class MeshUnreachableException(string message, Uri server, Exception inner) : Exception(message, inner)
{
    public Uri Server { get; } = server;
}

/// <summary>The one client of the REST API. Trusts exactly the CA, or whom the handler trusts, that it is given.</summary>
public sealed class MeshClient : IDisposable
{
    readonly HttpClient _http;

    /// <param name="authorityPem">The mesh's CA.</param>
    /// <param name="token">API token; empty for what needs none.</param>
    /// <param name="timeout">Limit of one answer; 60 s unless told.</param>
    public MeshClient(Uri server, string authorityPem, string token, TimeSpan? timeout = null)
        : this(Handler(authorityPem), ownsHandler: true, server, token, timeout)
    {
    }

    /// <param name="handler">Who is trusted is its matter; it is not disposed of.</param>
    /// <param name="token">As of the other.</param>
    /// <param name="headers">Sent with every request.</param>
    public MeshClient(HttpMessageHandler handler, Uri server, string token, params IEnumerable<KeyValuePair<string, string>> headers)
        : this(handler, ownsHandler: false, server, token, null)
    {
        foreach (var (name, value) in headers)
        {
            _http.DefaultRequestHeaders.Add(name, value);
        }
    }

    MeshClient(HttpMessageHandler handler, bool ownsHandler, Uri server, string token, TimeSpan? timeout)
    {
        _http = new HttpClient(handler, ownsHandler)
        {
            BaseAddress = new Uri(server, "/"),
            Timeout = timeout is { } limit && limit > TimeSpan.Zero ? limit : TimeSpan.FromSeconds(60),
        };
        if (token.Length > 0)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    public Uri Server => _http.BaseAddress!;

    public Task<VersionResource> GetVersionAsync(CancellationToken cancellationToken) => SendAsync<VersionResource>(HttpMethod.Get, "version", null, cancellationToken, prefix: "");

    public Task<CallerResource> GetCallerAsync(CancellationToken cancellationToken) => GetAsync<CallerResource>("users/me", cancellationToken);

    public Task<MeshResource> GetMeshAsync(CancellationToken cancellationToken) => GetAsync<MeshResource>("mesh", cancellationToken);

    public Task<KeysResource> GetKeysAsync(CancellationToken cancellationToken) => GetAsync<KeysResource>("mesh/keys", cancellationToken);

    public Task<KeysResource> RenewKeysAsync(RenewKeys body, CancellationToken cancellationToken) => PostAsync<KeysResource>("mesh/keys", body, cancellationToken);

    public Task<KeysResource> ChangeDeviceKeysAsync(string cluster, ChangeDeviceKeys body, CancellationToken cancellationToken) => PostAsync<KeysResource>($"clusters/{Part(cluster)}/device-keys", body, cancellationToken);

    public Task<TopologyResource> GetTopologyAsync(CancellationToken cancellationToken) => GetAsync<TopologyResource>("topology", cancellationToken);

    public Task<ApplyResult> ApplyManifestsAsync(ApplyManifests body, bool isDryRun, CancellationToken cancellationToken) =>
        PostAsync<ApplyResult>(isDryRun ? "manifests/apply?dryRun=true" : "manifests/apply", body, cancellationToken);

    public Task<ClusterResource> GetClusterAsync(string name, CancellationToken cancellationToken) => GetAsync<ClusterResource>($"clusters/{Part(name)}", cancellationToken);

    public Task<ClusterResource> CreateClusterAsync(CreateCluster body, CancellationToken cancellationToken) => PostAsync<ClusterResource>("clusters", body, cancellationToken);

    public Task<ClusterResource> UpdateClusterAsync(string name, UpdateCluster body, CancellationToken cancellationToken) => SendAsync<ClusterResource>(HttpMethod.Patch, $"clusters/{Part(name)}", body, cancellationToken);

    public Task DeleteClusterAsync(string name, CancellationToken cancellationToken) => SendAsync<JsonNode>(HttpMethod.Delete, $"clusters/{Part(name)}", null, cancellationToken);

    /// <param name="cluster">Null: of all.</param>
    public Task<IReadOnlyList<GatewayResource>> ListGatewaysAsync(string? cluster, CancellationToken cancellationToken) =>
        ListAsync<GatewayResource>(cluster is null ? "gateways" : $"gateways?cluster={Uri.EscapeDataString(cluster)}", cancellationToken);

    public Task<GatewayResource> GetGatewayAsync(string cluster, string gateway, CancellationToken cancellationToken) => GetAsync<GatewayResource>($"gateways/{Part(cluster)}/{Part(gateway)}", cancellationToken);

    public Task<GatewayResource> UpdateGatewayAsync(string cluster, string gateway, UpdateGateway body, CancellationToken cancellationToken) =>
        SendAsync<GatewayResource>(HttpMethod.Patch, $"gateways/{Part(cluster)}/{Part(gateway)}", body, cancellationToken);

    public Task DeleteGatewayAsync(string cluster, string gateway, CancellationToken cancellationToken) => SendAsync<JsonNode>(HttpMethod.Delete, $"gateways/{Part(cluster)}/{Part(gateway)}", null, cancellationToken);

    public Task<TunnelResource> GetTunnelAsync(string name, CancellationToken cancellationToken) => GetAsync<TunnelResource>($"tunnels/{Part(name)}", cancellationToken);

    /// <summary>Those between two clusters.</summary>
    public Task<IReadOnlyList<TunnelResource>> ListTunnelsAsync(string cluster, string peer, CancellationToken cancellationToken) =>
        ListAsync<TunnelResource>("tunnels" + Query(("cluster", cluster), ("peer", peer)), cancellationToken);

    /// <param name="cluster">Null: of all.</param>
    /// <param name="states">Empty: in any.</param>
    public Task<IReadOnlyList<LinkResource>> ListLinksAsync(string? cluster, IReadOnlyList<string> states, CancellationToken cancellationToken) =>
        ListAsync<LinkResource>("links" + Query([("cluster", cluster), .. states.Select(s => ("state", (string?)s))]), cancellationToken);

    /// <summary>As <see cref="ListLinksAsync"/>, but one page.</summary>
    /// <param name="limit">1 to 500.</param>
    public Task<Page<LinkResource>> FirstLinksAsync(string? cluster, IReadOnlyList<string> states, int limit, CancellationToken cancellationToken) =>
        GetAsync<Page<LinkResource>>("links" + Query([("limit", $"{limit}"), ("cluster", cluster), .. states.Select(s => ("state", (string?)s))]), cancellationToken);

    public Task<ApiTokenResource> CreateApiTokenAsync(CreateApiToken body, CancellationToken cancellationToken) => PostAsync<ApiTokenResource>("api-tokens", body, cancellationToken);

    public Task RevokeApiTokenAsync(string name, CancellationToken cancellationToken) => SendAsync<JsonNode>(HttpMethod.Delete, $"api-tokens/{Part(name)}", null, cancellationToken);

    public Task<JoinTokenResource> CreateJoinTokenAsync(CreateJoinToken body, CancellationToken cancellationToken) => PostAsync<JoinTokenResource>("join-tokens", body, cancellationToken);

    public Task RevokeJoinTokenAsync(string id, CancellationToken cancellationToken) => SendAsync<JsonNode>(HttpMethod.Delete, $"join-tokens/{Part(id)}", null, cancellationToken);

    public Task<AddressPlanResource> PlanAddressesAsync(CreateAddressPlan body, CancellationToken cancellationToken) => PostAsync<AddressPlanResource>("address-plans", body, cancellationToken);

    public Task<GatewayExplanation> ExplainAsync(string cluster, string gateway, CancellationToken cancellationToken) =>
        GetAsync<GatewayExplanation>($"gateways/{Part(cluster)}/{Part(gateway)}/explanation", cancellationToken);

    public Task<ProbeResource> CreateProbeAsync(CreateProbe body, CancellationToken cancellationToken) => PostAsync<ProbeResource>("probes", body, cancellationToken);

    public Task<ProbeResource> GetProbeAsync(string id, CancellationToken cancellationToken) => GetAsync<ProbeResource>($"probes/{Part(id)}", cancellationToken);

    public Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) => SendAsync<T>(HttpMethod.Get, path, null, cancellationToken);

    /// <summary>All pages of a list.</summary>
    public async Task<IReadOnlyList<T>> ListAsync<T>(string path, CancellationToken cancellationToken)
    {
        var items = new List<T>();
        for (string? cursor = null; ;)
        {
            var page = await GetAsync<Page<T>>($"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}limit=500{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", cancellationToken);
            items.AddRange(page.Items);
            if ((cursor = page.NextCursor) is null)
            {
                return items;
            }
        }
    }

    public void Dispose() => _http.Dispose();

    Task<T> PostAsync<T>(string path, object body, CancellationToken cancellationToken) => SendAsync<T>(HttpMethod.Post, path, body, cancellationToken);

    async Task<T> SendAsync<T>(HttpMethod method, string path, object? body, CancellationToken cancellationToken, string prefix = Api.Prefix)
    {
        using var request = new HttpRequestMessage(method, $"{prefix}/{path}");
        request.Content = body is null ? null : JsonContent.Create(body, body.GetType(), options: MeshJson.Options);
        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                throw new MeshApiException(Problem(response, text), Server);
            }

            return text.Length == 0 ? default! : Read<T>(response, text);
        }
        catch (HttpRequestException e)
        {
            throw new MeshUnreachableException($"the control service at {Server.Authority} (TCP) cannot be reached: {Reason(e)}", Server, e);
        }
        catch (TaskCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new MeshUnreachableException($"the control service at {Server.Authority} (TCP) did not answer within {_http.Timeout.TotalSeconds:0.###} s", Server, e);
        }
    }

    T Read<T>(HttpResponseMessage response, string text)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(text, MeshJson.Lenient)!;
        }
        catch (JsonException e)
        {
            throw new MeshApiException(new Problem("", "The answer cannot be read", (int)response.StatusCode, $"The server's answer is none of a MeshFabric control service of this version: {e.Message}", null, "unreadable-answer", "", null), Server);
        }
    }

    static SocketsHttpHandler Handler(string authorityPem) => new()
    {
        UseProxy = false,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = PinnedAuthority.Validate(X509Certificate2.CreateFromPem(authorityPem)) },
    };

    static Problem Problem(HttpResponseMessage response, string text)
    {
        try
        {
            if (JsonSerializer.Deserialize<Problem>(text, MeshJson.Lenient) is { } problem)
            {
                return problem;
            }
        }
        catch (JsonException)
        {
            // Not one of ours: some proxy's.
        }

        var id = response.Headers.TryGetValues("X-Request-Id", out var ids) ? ids.FirstOrDefault() ?? "" : "";
        return new Problem("", "The request failed", (int)response.StatusCode, $"The server answered with status {(int)response.StatusCode}, not as a MeshFabric control service does.", null, "no-problem-details", id, null);
    }

    static string Reason(HttpRequestException exception) => exception.InnerException switch
    {
        SocketException socket => socket.Message,
        AuthenticationException => "its certificate is not for this name, or not of the CA given with --ca-file",
        { } inner => inner.Message,
        null => exception.Message,
    };

    static string Query(params IEnumerable<(string Key, string? Value)> fields) =>
        string.Concat(fields.Where(f => f.Value is not null).Select((f, i) => $"{(i == 0 ? '?' : '&')}{f.Key}={Uri.EscapeDataString(f.Value!)}"));

    static string Part(string text) => Uri.EscapeDataString(text);
}
