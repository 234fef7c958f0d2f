using System.Net;
using System.Net.Http.Json;
using System.Text;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

public sealed class EnrolmentTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await ControlService.StartAsync(postgres, Cancel);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Sixty_four_clusters_that_all_use_one_CIDR_enrol_at_once_and_get_64_distinct_prefixes()
    {
        var tokens = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => _service.JoinTokenAsync(null, 1, Cancel)));

        var answers = await Task.WhenAll(tokens.Select((token, i) => _service.EnrolAsync(token, $"cluster-{i}", "gw1", "10.244.0.0/16", Cancel)));

        Assert.All(answers, a => Assert.Equal(HttpStatusCode.Created, a.StatusCode));
        var prefixes = (await _service.Admin.GetFromJsonAsync<Page<PrefixResource>>("/api/v1/prefixes?limit=500", MeshJson.Options, Cancel))!.Items;
        var mesh = prefixes.Where(p => p.Purpose != "tunnel").Select(p => p.Mesh).ToList();
        Assert.Equal(64, prefixes.Where(p => p.Purpose == "cluster").Select(p => p.Mesh).Distinct().Count());
        Assert.All(mesh, m => Assert.Single(mesh, other => other.Overlaps(m)));
        Assert.Equal(64, _service.Broker.Identities.Count);
    }

    [Fact]
    public async Task A_single_use_token_used_by_eight_at_once_admits_exactly_one_and_leaves_no_identity_behind()
    {
        var token = await _service.JoinTokenAsync("aurora", 1, Cancel);

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => _service.EnrolAsync(token, "aurora", $"gw{i}", null, Cancel)));

        Assert.Single(answers, a => a.StatusCode == HttpStatusCode.Created);
        foreach (var refused in answers.Where(a => a.StatusCode != HttpStatusCode.Created))
        {
            Assert.Equal("join-token-used", (await ProblemAsync(refused)).Code);
        }

        Assert.Single(_service.Broker.Identities);
    }

    [Fact]
    public async Task A_refused_enrolment_uses_nothing_up()
    {
        var token = await _service.JoinTokenAsync("aurora", 1, Cancel);

        var refused = await _service.EnrolAsync(token, "aurora", "gw1", "10.10.0.1/16", Cancel);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.Contains("/inventory/podCidrs/0", (await ProblemAsync(refused)).Errors!.Keys);
        var admitted = await _service.EnrolAsync(token, "aurora", "gw1", "10.10.0.0/16", Cancel);

        Assert.Equal(HttpStatusCode.Created, admitted.StatusCode);
    }

    [Fact]
    public async Task A_forged_token_is_refused_as_an_unknown_one_is()
    {
        var token = await _service.JoinTokenAsync("aurora", 1, Cancel);
        Assert.True(JoinToken.TryDecode(token, out var real));

        var forged = await _service.EnrolAsync((real with { Secret = "guess" }).Encode(), "aurora", "gw1", null, Cancel);
        var unknown = await _service.EnrolAsync((real with { Id = "j-unknown" }).Encode(), "aurora", "gw1", null, Cancel);

        Assert.Equal(HttpStatusCode.Unauthorized, forged.StatusCode);
        Assert.Equal("join-token-invalid", (await ProblemAsync(forged)).Code);
        Assert.Equal("join-token-invalid", (await ProblemAsync(unknown)).Code);
    }

    [Fact]
    public async Task The_same_agent_may_ask_again_when_the_answer_was_lost()
    {
        var token = await _service.JoinTokenAsync("aurora", 1, Cancel);
        var key = MeshFabric.Net.PrivateKey.Generate().ToPublicKey();

        var first = await ReadAsync(await _service.EnrolAsync(token, "aurora", "gw1", null, Cancel, key));
        var second = await ReadAsync(await _service.EnrolAsync(token, "aurora", "gw1", null, Cancel, key));

        Assert.Equal(first.GatewayId, second.GatewayId);
        Assert.Equal([first.GatewayId], _service.Broker.Identities.Keys);
    }

    [Fact]
    public async Task A_removed_cluster_loses_its_identity_prefixes_and_tokens_and_the_others_are_told()
    {
        var token = await _service.JoinTokenAsync("aurora", 2, Cancel);
        var enrolled = await ReadAsync(await _service.EnrolAsync(token, "aurora", "gw1", "10.10.0.0/16", Cancel));

        var removed = await _service.Admin.DeleteAsync("/api/v1/clusters/aurora", Cancel);

        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        Assert.Empty(_service.Broker.Identities);
        Assert.Equal("join-token-revoked", (await ProblemAsync(await _service.EnrolAsync(token, "aurora", "gw2", null, Cancel))).Code);
        await UntilAsync(() => _service.Broker.Published.Any(p => p.RemovedClusterIds.Contains(enrolled.ClusterId)));
    }

    [Theory]
    [InlineData("""{"name":"Aurora"}""", 422, "invalid", "/name")]
    [InlineData("""{"name":"a","spec":{"podCidrs":["10.0.0.1/8"]}}""", 422, "invalid", "/spec/podCidrs/0")]
    [InlineData("""{"name":"a","spec":{"podCidrs":["::ffff:10.0.0.0/104"]}}""", 422, "invalid", "/spec/podCidrs/0")]
    [InlineData("""{"name":"a","spec":{"podCidrs":["0.0.0.0/0"]}}""", 422, "invalid", "/spec/podCidrs/0")]
    [InlineData("""{"name":"a","spec":{"podCidrs":["100.64.0.0/16"]}}""", 422, "invalid", "/spec/podCidrs/0")]
    [InlineData("""{"name":"a","spec":{"podCidrs":["127.0.0.0/16"]}}""", 422, "invalid", "/spec/podCidrs/0")]
    [InlineData("""{"name":"a","spec":{"podCidrs":["10.1.0.0/16","10.1.0.0/16"]}}""", 422, "invalid", "/spec/podCidrs/1")]
    [InlineData("""{"name":"a","spec":{"colour":"red"}}""", 400, "malformed-body", "/spec/colour")]
    [InlineData("""{"name":7}""", 400, "malformed-body", "/name")]
    [InlineData("""{"name":""", 400, "malformed-body", null)]
    public async Task Bad_input_is_refused_by_its_field(string body, int status, string code, string? pointer)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");

        var response = await _service.Admin.PostAsync("/api/v1/clusters", content, Cancel);

        var problem = await ProblemAsync(response);
        Assert.Equal((status, code), ((int)response.StatusCode, problem.Code));
        if (pointer is not null)
        {
            Assert.Contains(pointer, problem.Errors!.Keys);
        }

        Assert.Equal(response.Headers.GetValues("X-Request-Id").Single(), problem.RequestId);
    }

    [Fact]
    public async Task A_gateway_is_told_that_it_was_removed_only_when_that_is_on_record()
    {
        var answer = await _service.EnrolAsync(await _service.JoinTokenAsync("aurora", 1, Cancel), "aurora", "gw1", "10.10.0.0/16", Cancel);
        var id = (await answer.Content.ReadFromJsonAsync<EnrolmentResource>(MeshJson.Options, Cancel))!.GatewayId;

        Assert.Equal(HttpStatusCode.OK, (await _service.Anonymous.GetAsync($"/api/v1/enrolments/{id}", Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _service.Anonymous.GetAsync("/api/v1/enrolments/g-nobody", Cancel)).StatusCode);
        (await _service.Admin.DeleteAsync("/api/v1/gateways/aurora/gw1", Cancel)).EnsureSuccessStatusCode();
        var gone = await _service.Anonymous.GetAsync($"/api/v1/enrolments/{id}", Cancel);

        Assert.Equal(HttpStatusCode.Gone, gone.StatusCode);
        Assert.Equal("gateway-removed", (await ProblemAsync(gone)).Code);
    }

    [Fact]
    public async Task Refusals_that_no_handler_makes_are_problems_too()
    {
        using var large = new StringContent("{\"name\":\"" + new string('a', 1 << 20) + "\"}", Encoding.UTF8, "application/json");
        using var text = new StringContent("name=a", Encoding.UTF8, "text/plain");

        Assert.Equal("unauthorized", (await ProblemAsync(await _service.Anonymous.GetAsync("/api/v1/clusters", Cancel))).Code);
        Assert.Equal("no-such-route", (await ProblemAsync(await _service.Admin.GetAsync("/api/v1/nothing", Cancel))).Code);
        Assert.Equal("method-not-allowed", (await ProblemAsync(await _service.Admin.PutAsync("/api/v1/clusters", null, Cancel))).Code);
        Assert.Equal("unsupported-media-type", (await ProblemAsync(await _service.Admin.PostAsync("/api/v1/clusters", text, Cancel))).Code);
        Assert.Equal("body-too-large", (await ProblemAsync(await _service.Admin.PostAsync("/api/v1/clusters", large, Cancel))).Code);
    }

    static async Task<Problem> ProblemAsync(HttpResponseMessage response)
    {
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        return (await response.Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!;
    }

    static async Task<EnrolmentResource> ReadAsync(HttpResponseMessage response)
    {
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Cancel));
        return (await response.Content.ReadFromJsonAsync<EnrolmentResource>(MeshJson.Options, Cancel))!;
    }

    static async Task UntilAsync(Func<bool> condition)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Delay(50, limit.Token);
        }
    }
}
