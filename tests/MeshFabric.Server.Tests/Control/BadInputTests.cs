using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

/// <summary>Whatever is sent: a problem that names the field and the rule, and nothing half done.</summary>
public sealed class BadInputTests(BadInputTests.Service fixture) : IClassFixture<BadInputTests.Service>
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    ControlService Control => fixture.Control;

    /// <summary>Where each body keeps a list of CIDRs that become prefixes.</summary>
    public static TheoryData<string, string, string> BadCidrs
    {
        get
        {
            var cases = new (string Cidr, string Rule)[]
            {
                ("", "a CIDR is needed"), ("10.0.0.0", "no prefix length"), ("/16", "does not begin with"), ("10.0.0.0/", "must be a number from 0 to 32"), ("10.0.0.0/33", "must be a number from 0 to 32"),
                ("fd00::/129", "must be a number from 0 to 128"), ("10.0.0.0/-1", "must be a number"), ("10.0.0.0/+8", "must be a number"), ("10.0.0.0/8 ", "must be a number"), (" 10.0.0.0/8", ""),
                ("10/8", "not in canonical form"), ("010.0.0.0/8", "not in canonical form"), ("0x0a.0.0.0/8", "not in canonical form"), ("10.0.0.1/8", "bits set beyond"), ("fd00::1/64", "bits set beyond"),
                ("::ffff:10.0.0.0/104", "IPv4-mapped"), ("fe80::%1/64", "does not begin with"), ("ten/8", "does not begin with"),
                ("0.0.0.0/0", "/0"), ("::/0", "/0"), ("127.0.0.0/16", ""), ("0.0.0.0/8", ""), ("169.254.0.0/16", ""), ("224.0.0.0/8", ""), ("240.0.0.0/8", ""), ("255.255.255.255/32", ""),
                ("::1/128", ""), ("fe80::/64", ""), ("ff00::/16", ""), ("10.0.0.0/7", ""), ("100.64.0.0/16", "pool"), ("198.19.0.0/24", "pool"),
            };
            var data = new TheoryData<string, string, string>();
            foreach (var (cidr, rule) in cases)
            {
                data.Add(cidr, rule, "/api/v1/clusters");
            }

            foreach (var (cidr, rule) in cases.Where(c => c.Cidr is "10.0.0.1/8" or "::ffff:10.0.0.0/104" or "0.0.0.0/0" or "127.0.0.0/16" or "10.0.0.0/33" or "100.64.0.0/16"))
            {
                data.Add(cidr, rule, "/api/v1/enrolments");
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(BadCidrs))]
    public async Task A_bad_CIDR_is_refused_by_its_place_and_rule(string cidr, string rule, string path)
    {
        var list = new JsonArray("10.77.0.0/16", cidr);
        var (body, pointer) = path.EndsWith("clusters", StringComparison.Ordinal)
            ? (new JsonObject { ["name"] = "bad", ["spec"] = new JsonObject { ["podCidrs"] = list } }, "/spec/podCidrs/1")
            : (new JsonObject { ["inventory"] = new JsonObject { ["podCidrs"] = list } }, "/inventory/podCidrs/1");

        var problem = await RefusedAsync(path, body.ToJsonString(), HttpStatusCode.UnprocessableEntity, "invalid");

        Assert.Contains(rule, Assert.Single(problem.Errors![pointer]));
        Assert.DoesNotContain("/spec/podCidrs/0", problem.Errors.Keys);
        Assert.Equal(HttpStatusCode.NotFound, (await Control.Admin.GetAsync("/api/v1/clusters/bad", Cancel)).StatusCode);
    }

    [Theory]
    [InlineData("""["10.1.0.0/16","10.1.0.0/16"]""", "stands here twice")]
    [InlineData("""["10.1.0.0/16","10.1.128.0/17"]""", "overlaps 10.1.0.0/16 in the same list")]
    [InlineData("""["10.1.128.0/17","10.1.0.0/16"]""", "overlaps 10.1.128.0/17 in the same list")]
    public async Task CIDRs_of_one_list_may_not_overlap(string list, string rule)
    {
        var problem = await RefusedAsync("/api/v1/clusters", $$$"""{"name":"bad","spec":{"podCidrs":{{{list}}}}}""", HttpStatusCode.UnprocessableEntity, "invalid");

        Assert.Contains(rule, Assert.Single(problem.Errors!["/spec/podCidrs/1"]));
    }

    [Theory]
    [InlineData("/api/v1/clusters", """{"name":"a","colour":1}""", "/colour")]
    [InlineData("/api/v1/clusters", """{"name":"a","spec":{"podCIDRs":[]}}""", "/spec/podCIDRs")]
    [InlineData("/api/v1/clusters", """{"Name":"a"}""", "/Name")]
    [InlineData("/api/v1/clusters", """{"name":"a","name":"b"}""", "/name")]
    [InlineData("/api/v1/join-tokens", """{"uses":1}""", "/uses")]
    [InlineData("/api/v1/join-tokens", """{"maxUses":"1"}""", "/maxUses")]
    [InlineData("/api/v1/join-tokens", """{"maxUses":1.5}""", "/maxUses")]
    [InlineData("/api/v1/join-tokens", """{"expiresInSeconds":99999999999}""", "/expiresInSeconds")]
    [InlineData("/api/v1/api-tokens", """{"name":"a","role":"viewer","admin":true}""", "/admin")]
    [InlineData("/api/v1/address-plans", """{"pods":[]}""", "/pods")]
    [InlineData("/api/v1/probes", """{"from":"a","to":"b","seconds":1}""", "/seconds")]
    [InlineData("/api/v1/enrolments", """{"token":"x","gatewayId":"g-x"}""", "/gatewayId")]
    [InlineData("/api/v1/enrolments", """{"inventory":{"nodes":[{"role":"x"}]}}""", "/inventory/nodes/0/role")]
    [InlineData("/api/v1/clusters", "[]", "")]
    [InlineData("/api/v1/clusters", "null", "")]
    [InlineData("/api/v1/clusters", "", "")]
    public async Task A_body_that_is_not_of_its_form_is_refused_by_the_place(string path, string body, string pointer)
    {
        var problem = await RefusedAsync(path, body, HttpStatusCode.BadRequest, "malformed-body");

        Assert.Equal(pointer, Assert.Single(problem.Errors!).Key);
    }

    [Theory]
    [InlineData("/api/v1/clusters", """{"name":"-a"}""", "/name", "RFC 1123")]
    [InlineData("/api/v1/clusters", """{"name":"a.b"}""", "/name", "RFC 1123")]
    [InlineData("/api/v1/clusters", """{"name":"a\n"}""", "/name", "RFC 1123")]
    [InlineData("/api/v1/clusters", """{"name":"a","labels":{"bad key":"x"}}""", "/labels/bad key", "Kubernetes label")]
    [InlineData("/api/v1/clusters", """{"name":"a","labels":{"a/b/c":"x"}}""", "/labels/a~1b~1c", "Kubernetes label")]
    [InlineData("/api/v1/clusters", """{"name":"a","spec":{"kind":"pod"}}""", "/spec/kind", "kubernetes, site or machine")]
    [InlineData("/api/v1/clusters", """{"name":"a","spec":{"region":"a\u0000b"}}""", "/spec/region", "control characters")]
    [InlineData("/api/v1/join-tokens", """{"maxUses":9}""", "/maxUses", "1 to 8")]
    [InlineData("/api/v1/join-tokens", """{"expiresInSeconds":86401}""", "/expiresInSeconds", "1 to 86400")]
    [InlineData("/api/v1/join-tokens", """{"expiresInSeconds":0}""", "/expiresInSeconds", "1 to 86400")]
    [InlineData("/api/v1/api-tokens", """{"name":"a","role":"root"}""", "/role", "viewer, operator, admin")]
    [InlineData("/api/v1/api-tokens", """{"role":"viewer"}""", "/name", "RFC 1123")]
    [InlineData("/api/v1/address-plans", """{"family":"ipx"}""", "/family", "ipv4 or ipv6")]
    [InlineData("/api/v1/address-plans", """{"length":31}""", "/length", "8 to 30")]
    [InlineData("/api/v1/probes", """{"from":"a","to":"a"}""", "/to", "another cluster")]
    [InlineData("/api/v1/probes", """{"from":"a","to":"b","count":101}""", "/count", "1 to 100")]
    [InlineData("/api/v1/enrolments", """{"publicKey":"AAAA"}""", "/publicKey", "44 base64")]
    [InlineData("/api/v1/enrolments", """{"listenPort":65535}""", "/listenPort", "1 to 65527")]
    [InlineData("/api/v1/enrolments", """{"endpoints":["host:1"]}""", "/endpoints/0", "not an address and port")]
    [InlineData("/api/v1/enrolments", """{"certificateRequest":""}""", "/certificateRequest", "PKCS#10")]
    public async Task A_value_out_of_its_bounds_is_refused_by_field_and_rule(string path, string body, string pointer, string rule)
    {
        var problem = await RefusedAsync(path, body, HttpStatusCode.UnprocessableEntity, "invalid");

        Assert.Contains(rule, Assert.Single(problem.Errors![pointer]));
        Assert.Contains(pointer, problem.Detail);
    }

    [Fact]
    public async Task All_that_is_wrong_is_said_at_once()
    {
        var problem = await RefusedAsync("/api/v1/clusters", """{"name":"A","labels":{"!":"x"},"spec":{"kind":"x","podCidrs":["10.0.0.1/8"],"serviceCidrs":["x"]}}""", HttpStatusCode.UnprocessableEntity, "invalid");

        Assert.Equal(["/labels/!", "/name", "/spec/kind", "/spec/podCidrs/0", "/spec/serviceCidrs/0"], problem.Errors!.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("/api/v1/clusters", "name", false)]
    [InlineData("/api/v1/clusters", "name", true)]
    [InlineData("/api/v1/join-tokens", "description", false)]
    [InlineData("/api/v1/enrolments", "token", false)]
    [InlineData("/api/v1/enrolments", "token", true)]
    public async Task A_body_above_a_mebibyte_is_refused_whether_its_length_is_told_or_not(string path, string field, bool chunked)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent($"{{\"{field}\":\"" + new string('a', 1 << 20) + "\"}", Encoding.UTF8, "application/json") };
        request.Headers.TransferEncodingChunked = chunked;
        // The server closes the connection with its refusal: a client that is still writing then may get a broken pipe before it reads why.
        request.Headers.ExpectContinue = true;

        using var response = await Control.Admin.SendAsync(request, Cancel);

        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "body-too-large"), (response.StatusCode, (await ProblemAsync(response)).Code));
    }

    [Fact]
    public async Task The_second_cluster_of_one_name_is_a_conflict_and_changes_nothing_of_the_first()
    {
        using var first = await Control.Admin.PostAsync("/api/v1/clusters", Json("""{"name":"twice","spec":{"podCidrs":["10.88.0.0/16"]}}"""), Cancel);
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);

        await RefusedAsync("/api/v1/clusters", """{"name":"twice","spec":{"podCidrs":["10.89.0.0/16"]}}""", HttpStatusCode.Conflict, "cluster-exists");

        var stored = (await Control.Admin.GetFromJsonAsync<ClusterResource>("/api/v1/clusters/twice", MeshJson.Options, Cancel))!;
        Assert.Equal("10.88.0.0/16", Assert.Single(stored.Spec.PodCidrs).ToString());
    }

    async Task<Problem> RefusedAsync(string path, string body, HttpStatusCode status, string code)
    {
        using var response = await Control.Admin.PostAsync(path, Json(body), Cancel);
        var problem = await ProblemAsync(response);
        Assert.Equal((status, code), (response.StatusCode, problem.Code));
        // RFC 9457: every member says what it should.
        Assert.Equal($"https://meshfabric.io/problems/{code}", problem.Type);
        Assert.Equal(((int)status, path), (problem.Status, problem.Instance));
        Assert.NotEmpty(problem.Title);
        Assert.NotEmpty(problem.Detail);
        Assert.Equal(response.Headers.GetValues("X-Request-Id").Single(), problem.RequestId);
        return problem;
    }

    static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    static async Task<Problem> ProblemAsync(HttpResponseMessage response)
    {
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        return (await response.Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!;
    }

    public sealed class Service(PostgresServer postgres) : IAsyncLifetime
    {
        public ControlService Control { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Control = await ControlService.StartAsync(postgres, TestContext.Current.CancellationToken);

        public ValueTask DisposeAsync() => Control.DisposeAsync();
    }
}
