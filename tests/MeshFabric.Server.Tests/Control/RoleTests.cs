using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

/// <summary>Who may call what: every route of the OpenAPI document stands here with the least role that it needs.</summary>
public sealed class RoleTests(PostgresServer postgres) : IAsyncLifetime
{
    const string Public = "public";

    static readonly string[] Ladder = [Public, "viewer", "operator", "admin"];

    static readonly SortedDictionary<string, string> Routes = new(StringComparer.Ordinal)
    {
        ["GET /api/v1/clusters"] = "viewer",
        ["POST /api/v1/clusters"] = "operator",
        ["GET /api/v1/clusters/{name}"] = "viewer",
        ["PATCH /api/v1/clusters/{name}"] = "operator",
        ["PATCH /api/v1/gateways/{cluster}/{name}"] = "operator",
        ["DELETE /api/v1/clusters/{name}"] = "operator",
        ["GET /api/v1/clusters/{name}/gateways"] = "viewer",
        ["GET /api/v1/gateways"] = "viewer",
        ["GET /api/v1/gateways/{cluster}/{name}"] = "viewer",
        ["DELETE /api/v1/gateways/{cluster}/{name}"] = "operator",
        ["GET /api/v1/gateways/{cluster}/{name}/explanation"] = "viewer",
        ["GET /api/v1/topology"] = "viewer",
        ["POST /api/v1/manifests/apply"] = "operator",
        ["GET /api/v1/tunnels"] = "viewer",
        ["GET /api/v1/tunnels/{name}"] = "viewer",
        ["GET /api/v1/links"] = "viewer",
        ["GET /api/v1/prefixes"] = "viewer",
        ["GET /api/v1/address-pools"] = "viewer",
        ["GET /api/v1/address-conflicts"] = "viewer",
        ["POST /api/v1/address-plans"] = "viewer",
        ["GET /api/v1/join-tokens"] = "operator",
        ["POST /api/v1/join-tokens"] = "operator",
        ["DELETE /api/v1/join-tokens/{id}"] = "operator",
        ["GET /api/v1/api-tokens"] = "admin",
        ["POST /api/v1/api-tokens"] = "admin",
        ["DELETE /api/v1/api-tokens/{name}"] = "admin",
        ["GET /api/v1/events"] = "viewer",
        ["GET /api/v1/audit-records"] = "admin",
        ["GET /api/v1/mesh"] = "viewer",
        ["GET /api/v1/mesh/keys"] = "viewer",
        ["POST /api/v1/mesh/keys"] = "operator",
        ["POST /api/v1/clusters/{name}/device-keys"] = "operator",
        ["GET /api/v1/users/me"] = "viewer",
        ["POST /api/v1/probes"] = "operator",
        ["GET /api/v1/probes/{id}"] = "viewer",
        // The join token in its body is what admits.
        ["GET /api/v1/enrolments/{gatewayId}"] = Public,
        ["POST /api/v1/enrolments"] = Public,
        ["GET /ca.pem"] = Public,
        ["GET /version"] = Public,
        ["GET /livez"] = Public,
        ["GET /healthz"] = Public,
        ["GET /readyz"] = Public,
    };

    readonly Dictionary<string, HttpClient> _callers = [];
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> RouteNames => [.. Routes.Keys];

    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        _callers[Public] = _service.Anonymous;
        foreach (var role in Ladder[1..])
        {
            var made = await _service.Admin.PostAsJsonAsync("/api/v1/api-tokens", new CreateApiToken($"a-{role}", role, null, null), MeshJson.Options, Cancel);
            _callers[role] = _service.Client((await made.Content.ReadFromJsonAsync<ApiTokenResource>(MeshJson.Options, Cancel))!.Status.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var caller in _callers.Values)
        {
            caller.Dispose();
        }

        await _service.DisposeAsync();
    }

    [Fact]
    public async Task Every_route_of_the_OpenAPI_document_is_listed_here_and_no_other()
    {
        var document = JsonNode.Parse(await _service.Anonymous.GetStringAsync("/openapi/v1.json", Cancel))!;

        var routes = document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(operation => $"{operation.Key.ToUpperInvariant()} {path.Key}"));

        Assert.Equal(Routes.Keys, routes.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(RouteNames))]
    public async Task A_route_is_open_to_its_role_and_higher_ones_and_closed_to_all_lower_ones(string route)
    {
        var least = Array.IndexOf(Ladder, Routes[route]);
        for (var i = 0; i < Ladder.Length; i++)
        {
            using var answer = await SendAsync(_callers[Ladder[i]], route);
            if (i >= least)
            {
                // Let in: what follows is about names that do not exist and bodies that say nothing.
                Assert.False(answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, $"{Ladder[i]} was refused with {answer.StatusCode}");
                Assert.True((int)answer.StatusCode < 500, $"{Ladder[i]} got {answer.StatusCode}");
            }
            else
            {
                var problem = JsonSerializer.Deserialize<Problem>(await answer.Content.ReadAsStringAsync(Cancel), MeshJson.Options)!;
                Assert.Equal(Ladder[i] == Public ? "unauthorized" : "forbidden", problem.Code);
                Assert.Equal(Ladder[i] == Public ? HttpStatusCode.Unauthorized : HttpStatusCode.Forbidden, answer.StatusCode);
            }
        }
    }

    [Fact]
    public async Task Metrics_are_for_scrapers_without_a_token_and_name_no_secret()
    {
        var text = await _service.Anonymous.GetStringAsync("/metrics", Cancel);

        Assert.Contains("meshfabric_build_info", text);
        Assert.DoesNotContain("mfa_", text);
    }

    static async Task<HttpResponseMessage> SendAsync(HttpClient caller, string route)
    {
        var (method, path) = (route.Split(' ')[0], route.Split(' ')[1]);
        foreach (var name in new[] { "name", "cluster", "id" })
        {
            path = path.Replace($"{{{name}}}", "nobody", StringComparison.Ordinal);
        }

        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Content = method == "POST" ? new StringContent("{}", Encoding.UTF8, "application/json") : null;
        return await caller.SendAsync(request, Cancel);
    }
}
