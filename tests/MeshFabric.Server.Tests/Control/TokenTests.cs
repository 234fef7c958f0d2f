using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Api;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Control;

/// <summary>Tokens that are no longer, not yet, or never were good.</summary>
public sealed class TokenTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await ControlService.StartAsync(postgres, Cancel);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task An_API_token_works_until_it_expires()
    {
        using var caller = _service.Client(await ApiTokenAsync("short", seconds: 3));

        Assert.Equal(HttpStatusCode.OK, (await caller.GetAsync("/api/v1/mesh", Cancel)).StatusCode);

        await Until.TrueAsync(async () => (await caller.GetAsync("/api/v1/mesh", Cancel)).StatusCode == HttpStatusCode.Unauthorized, TimeSpan.FromSeconds(20), () => "it never expired", Cancel);
        Assert.Equal("unauthorized", (await ProblemAsync(await caller.GetAsync("/api/v1/mesh", Cancel))).Code);
    }

    [Fact]
    public async Task An_API_token_works_until_it_is_revoked_and_its_name_is_free_again()
    {
        using var caller = _service.Client(await ApiTokenAsync("ci", seconds: null));
        Assert.Equal(HttpStatusCode.OK, (await caller.GetAsync("/api/v1/mesh", Cancel)).StatusCode);
        Assert.Equal("api-token-exists", (await ProblemAsync(await _service.Admin.PostAsJsonAsync("/api/v1/api-tokens", new CreateApiToken("ci", "viewer", null, null), MeshJson.Options, Cancel))).Code);

        Assert.Equal(HttpStatusCode.NoContent, (await _service.Admin.DeleteAsync("/api/v1/api-tokens/ci", Cancel)).StatusCode);

        Assert.Equal(HttpStatusCode.Unauthorized, (await caller.GetAsync("/api/v1/mesh", Cancel)).StatusCode);
        await ApiTokenAsync("ci", seconds: null);
    }

    [Theory]
    [InlineData("/api/v1/api-tokens/nobody", "mfctl api-token list")]
    [InlineData("/api/v1/join-tokens/nobody", "mfctl token list")]
    [InlineData("/api/v1/clusters/nobody", "mfctl cluster list")]
    public async Task What_does_not_exist_names_the_command_that_lists_what_does(string path, string command)
    {
        var unknown = await _service.Admin.DeleteAsync(path, Cancel);

        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.EndsWith($": {command}", (await ProblemAsync(unknown)).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_last_admin_cannot_be_revoked()
    {
        var refused = await _service.Admin.DeleteAsync("/api/v1/api-tokens/first-admin", Cancel);

        Assert.Equal((HttpStatusCode.Conflict, "last-admin"), (refused.StatusCode, (await ProblemAsync(refused)).Code));
    }

    [Fact]
    public async Task A_forged_unknown_or_malformed_API_token_is_nobody()
    {
        var real = ApiTokenText.TryParse(await ApiTokenAsync("real", seconds: null))!;
        foreach (var text in new[]
        {
            (real with { Secret = real.Secret[..^1] + (real.Secret[^1] == 'A' ? 'B' : 'A') }).Reveal(), (real with { Id = "t-unknown" }).Reveal(), $"mfa_{real.Id}_", $"mfa_{real.Id}", "mfa__x", "mfa_", "Bearer", new string('x', 10_000), "' OR 1=1 --",
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/mesh");
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {text}");
            using var response = await _service.Anonymous.SendAsync(request, Cancel);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal("Bearer", Assert.Single(response.Headers.WwwAuthenticate).Scheme);
        }

        using var basic = new HttpRequestMessage(HttpMethod.Get, "/api/v1/mesh") { Headers = { Authorization = new AuthenticationHeaderValue("Basic", real.Reveal()) } };
        Assert.Equal(HttpStatusCode.Unauthorized, (await _service.Anonymous.SendAsync(basic, Cancel)).StatusCode);
    }

    [Fact]
    public async Task An_expired_join_token_admits_nobody_and_says_so()
    {
        var made = await CreateAsync(new CreateJoinToken("aurora", 1, null, null));
        await Until.TrueAsync(() => made.Spec.ExpiresAt < DateTimeOffset.UtcNow, TimeSpan.FromSeconds(10), () => "it never expired", Cancel);

        await RefusedAsync(await _service.EnrolAsync(made.Status.Token!, "aurora", "gw1", null, Cancel), HttpStatusCode.Unauthorized, "join-token-expired");
    }

    [Fact]
    public async Task A_revoked_join_token_admits_nobody_and_says_so()
    {
        var made = await CreateAsync(new CreateJoinToken("aurora", null, null, null));
        Assert.Equal(HttpStatusCode.NoContent, (await _service.Admin.DeleteAsync($"/api/v1/join-tokens/{made.Metadata.Name}", Cancel)).StatusCode);

        await RefusedAsync(await _service.EnrolAsync(made.Status.Token!, "aurora", "gw1", null, Cancel), HttpStatusCode.Unauthorized, "join-token-revoked");
    }

    [Fact]
    public async Task A_used_join_token_admits_nobody_else_and_says_how_often_it_was_used()
    {
        var made = await CreateAsync(new CreateJoinToken("aurora", null, null, null));
        Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(made.Status.Token!, "aurora", "gw1", null, Cancel)).StatusCode);

        var refused = await _service.EnrolAsync(made.Status.Token!, "aurora", "gw2", null, Cancel);

        var problem = await ProblemAsync(refused);
        Assert.Equal((HttpStatusCode.Unauthorized, "join-token-used"), (refused.StatusCode, problem.Code));
        Assert.Contains("1 of 1", problem.Detail);
        Assert.Single(_service.Broker.Identities);
    }

    [Fact]
    public async Task A_join_token_for_one_cluster_admits_to_no_other()
    {
        var made = await CreateAsync(new CreateJoinToken("aurora", null, null, null));

        await RefusedAsync(await _service.EnrolAsync(made.Status.Token!, "borealis", "gw1", null, Cancel), HttpStatusCode.Forbidden, "join-token-other-cluster");
    }

    [Fact]
    public async Task A_join_token_for_new_clusters_does_not_admit_to_one_that_exists()
    {
        await ClusterAsync("aurora");
        var made = await CreateAsync(new CreateJoinToken(null, null, null, null));

        await RefusedAsync(await _service.EnrolAsync(made.Status.Token!, "aurora", "gw1", null, Cancel), HttpStatusCode.Forbidden, "join-token-new-clusters-only");
    }

    [Fact]
    public async Task A_standing_join_token_admits_again_and_again_until_it_is_revoked()
    {
        await ClusterAsync("aurora");
        var made = await CreateAsync(new CreateJoinToken("aurora", null, null, "agents of aurora", true));
        Assert.Equal(new JoinTokenSpec("aurora", null, null, "agents of aurora", true), made.Spec);
        foreach (var gateway in new[] { "gw1", "gw2", "gw3" })
        {
            Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(made.Status.Token!, "aurora", gateway, null, Cancel)).StatusCode);
        }

        var listed = Assert.Single((await _service.Admin.GetFromJsonAsync<Page<JoinTokenResource>>("/api/v1/join-tokens", MeshJson.Options, Cancel))!.Items);
        Assert.Equal((made.Spec, new JoinTokenStatus("active", 3, null)), (listed.Spec, listed.Status));
        Assert.Equal(HttpStatusCode.NoContent, (await _service.Admin.DeleteAsync($"/api/v1/join-tokens/{made.Metadata.Name}", Cancel)).StatusCode);
        var refused = await _service.EnrolAsync(made.Status.Token!, "aurora", "gw4", null, Cancel);
        Assert.Equal((HttpStatusCode.Unauthorized, "join-token-revoked"), (refused.StatusCode, (await ProblemAsync(refused)).Code));
        Assert.Equal(3, _service.Broker.Identities.Count);
    }

    [Fact]
    public async Task A_standing_join_token_admits_to_its_own_cluster_only_and_ends_with_it()
    {
        await ClusterAsync("aurora");
        var made = await CreateAsync(new CreateJoinToken("aurora", null, null, null, true));

        await RefusedAsync(await _service.EnrolAsync(made.Status.Token!, "borealis", "gw1", null, Cancel), HttpStatusCode.Forbidden, "join-token-other-cluster");
        Assert.Equal(HttpStatusCode.NoContent, (await _service.Admin.DeleteAsync("/api/v1/clusters/aurora", Cancel)).StatusCode);
        await ClusterAsync("aurora");
        await RefusedAsync(await _service.EnrolAsync(made.Status.Token!, "aurora", "gw1", null, Cancel), HttpStatusCode.Unauthorized, "join-token-revoked");
    }

    [Fact]
    public async Task A_standing_join_token_needs_a_cluster_that_exists_and_takes_no_limit()
    {
        var none = await _service.Admin.PostAsJsonAsync("/api/v1/join-tokens", new CreateJoinToken(null, 60, 2, null, true), MeshJson.Options, Cancel);
        var unknown = await _service.Admin.PostAsJsonAsync("/api/v1/join-tokens", new CreateJoinToken("aurora", null, null, null, true), MeshJson.Options, Cancel);

        var problem = await ProblemAsync(none);
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "invalid"), (none.StatusCode, problem.Code));
        Assert.Equal(["/cluster", "/expiresInSeconds", "/maxUses"], problem.Errors!.Keys.Order(StringComparer.Ordinal));
        Assert.Equal((HttpStatusCode.NotFound, "not-found"), (unknown.StatusCode, (await ProblemAsync(unknown)).Code));
        Assert.Equal(0, await PostgresServer.QueryAsync(_service.Database, "SELECT count(*)::int FROM join_tokens", Cancel));
    }

    [Theory]
    [InlineData("")]
    [InlineData("mfj1_")]
    [InlineData("mfj1_!!!")]
    [InlineData("mfj1_e30")]
    [InlineData("mfa_t-x_y")]
    public async Task What_is_no_join_token_is_refused_by_its_field(string token)
    {
        var refused = await _service.EnrolAsync(token, "aurora", "gw1", null, Cancel);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.Contains("/token", (await ProblemAsync(refused)).Errors!.Keys);
    }

    async Task ClusterAsync(string name) =>
        Assert.Equal(HttpStatusCode.Created, (await _service.Admin.PostAsJsonAsync("/api/v1/clusters", new CreateCluster(name, null, null), MeshJson.Options, Cancel)).StatusCode);

    async Task RefusedAsync(HttpResponseMessage refused, HttpStatusCode status, string code)
    {
        Assert.Equal((status, code), (refused.StatusCode, (await ProblemAsync(refused)).Code));
        Assert.Empty(_service.Broker.Identities);
        Assert.Equal(0, await PostgresServer.QueryAsync(_service.Database, "SELECT coalesce(sum(uses), 0)::int FROM join_tokens", Cancel));
    }

    async Task<string> ApiTokenAsync(string name, int? seconds)
    {
        var response = await _service.Admin.PostAsJsonAsync("/api/v1/api-tokens", new CreateApiToken(name, "viewer", seconds, null), MeshJson.Options, Cancel);
        return (await response.Content.ReadFromJsonAsync<ApiTokenResource>(MeshJson.Options, Cancel))!.Status.Token!;
    }

    async Task<JoinTokenResource> CreateAsync(CreateJoinToken body)
    {
        var response = await _service.Admin.PostAsJsonAsync("/api/v1/join-tokens", body, MeshJson.Options, Cancel);
        return (await response.Content.ReadFromJsonAsync<JoinTokenResource>(MeshJson.Options, Cancel))!;
    }

    static async Task<Problem> ProblemAsync(HttpResponseMessage response) => (await response.Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!;
}
