using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Control;
using MeshFabric.Server.Tests.Messaging;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Faults;

/// <summary>What people are told while a part is away: soon, and in words.</summary>
[Collection(BrokerTests.Name)]
public sealed class AwayTests(RabbitServer rabbit) : IAsyncLifetime
{
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(12);

    FaultyMesh _mesh = null!;
    HttpClient _http = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _mesh = await FaultyMesh.StartAsync(rabbit, Cancel);
        _http = _mesh.Settings.Http(_mesh.Settings.AdminToken);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _mesh.DisposeAsync();
    }

    [Fact]
    public async Task Without_the_database_every_request_is_answered_soon_by_503_and_works_again_when_it_is_back()
    {
        using var anonymous = _mesh.Settings.Http(null);
        await _mesh.Postgres.Kill9Async(Cancel);

        await UnavailableAsync("database-unavailable", () => _http.GetAsync("/api/v1/clusters", Cancel));
        await UnavailableAsync("database-unavailable", () => _http.GetAsync("/api/v1/mesh", Cancel));
        await UnavailableAsync("database-unavailable", () => _http.PostAsync("/api/v1/clusters", Json("""{"name":"dorado"}"""), Cancel));
        await UnavailableAsync("database-unavailable", () => _http.DeleteAsync("/api/v1/clusters/aurora", Cancel));
        await UnavailableAsync("database-unavailable", () => anonymous.PostAsync("/api/v1/enrolments", Json("""{"cluster":"dorado"}"""), Cancel));
        Assert.Equal(HttpStatusCode.OK, (await anonymous.GetAsync("/livez", Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await anonymous.GetAsync("/readyz", Cancel)).StatusCode);

        await _mesh.Postgres.StartAsync(Cancel);
        await Until.TrueAsync(async () => (await _http.GetAsync("/api/v1/clusters/aurora", Cancel)).IsSuccessStatusCode, Soon, _mesh.Control.LogTail, Cancel);
    }

    [Fact]
    public async Task A_request_that_meets_a_restart_of_the_database_succeeds_without_notice()
    {
        await _mesh.Postgres.Kill9Async(Cancel);

        var answer = _http.GetAsync("/api/v1/clusters/aurora", Cancel);
        await _mesh.Postgres.StartAsync(Cancel);

        Assert.Equal(HttpStatusCode.OK, (await answer).StatusCode);
    }

    [Fact]
    public async Task Without_the_broker_reading_and_removing_work_and_what_needs_it_says_so_and_uses_nothing_up()
    {
        using var api = _mesh.Settings.Client();
        var token = (await api.CreateJoinTokenAsync(new CreateJoinToken("aurora", null, null, null), Cancel)).Status.Token;
        await _mesh.Rabbit.Kill9Async(Cancel);

        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync("/api/v1/mesh", Cancel)).StatusCode);
        Assert.Contains("degraded", await _http.GetStringAsync("/readyz", Cancel));
        await UnavailableAsync("broker-unavailable", () => EnrolAsync(token!));
        await UnavailableAsync("broker-unavailable", () => _http.PostAsync("/api/v1/probes", Json("""{"from":"aurora","to":"borealis"}"""), Cancel));
        Assert.Equal(HttpStatusCode.NoContent, (await _http.DeleteAsync("/api/v1/clusters/borealis", Cancel)).StatusCode);

        await _mesh.Rabbit.StartAsync(Cancel);
        Assert.Equal(HttpStatusCode.Created, (await EnrolAsync(token!)).StatusCode);
        var removed = Assert.Single(_mesh.Agents, a => a.Name == "borealis");
        await Until.TrueAsync(async () => !(await rabbit.Server.ListAsync("api/users?columns=name", Cancel)).Any(u => (string?)u!["name"] == removed.User),
            TimeSpan.FromSeconds(100), () => $"the removed {removed.Name} still has its user", Cancel);
    }

    async Task UnavailableAsync(string code, Func<Task<HttpResponseMessage>> send)
    {
        var clock = Stopwatch.StartNew();
        using var response = await send();
        var text = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(clock.Elapsed < Soon, $"the answer took {clock.Elapsed.TotalSeconds:0.0} s: {text}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(code, JsonSerializer.Deserialize<Problem>(text, MeshJson.Lenient)!.Code);
    }

    Task<HttpResponseMessage> EnrolAsync(string token)
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=x", key, System.Security.Cryptography.HashAlgorithmName.SHA256).CreateSigningRequestPem();
        var body = new CreateEnrolment(token, "aurora", "gw2", Net.PrivateKey.Generate().ToPublicKey().ToString(), 51820, [], request, "test", null);
        return _http.PostAsync("/api/v1/enrolments", Json(JsonSerializer.Serialize(body, MeshJson.Options)), Cancel);
    }

    static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");
}
