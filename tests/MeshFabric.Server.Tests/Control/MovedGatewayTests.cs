using System.Net;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

/// <summary>A gateway that is dialled elsewhere from now on.</summary>
public sealed class MovedGatewayTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await ControlService.StartAsync(postgres, Cancel);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Others_learn_where_it_is_dialled_and_only_a_change_is_one()
    {
        await EnrolAsync("aurora", hidden: false);
        var before = (await _service.FactsAsync(Cancel)).Revision;
        for (var i = 0; i < 2; i++)
        {
            var moved = await PatchAsync("aurora", "203.0.113.7:51820", "198.51.100.7:51820");
            Assert.Equal(HttpStatusCode.OK, moved.StatusCode);
            Assert.Equal(["203.0.113.7:51820", "198.51.100.7:51820"], (await moved.Content.ReadFromJsonAsync<GatewayResource>(MeshJson.Options, Cancel))!.Spec.Endpoints.Select(e => $"{e}"));
        }

        var facts = await _service.FactsAsync(Cancel);
        Assert.Equal(before + 1, facts.Revision);
        Assert.Equal("203.0.113.7:51820", $"{facts.Clusters.Single().Gateways.Single().Endpoints[0]}");
        Assert.Single(await _service.EventsAsync(Cancel), e => e.Type == "gateway-moved");
        Assert.Equal(1L, await PostgresServer.QueryAsync(_service.Database, "SELECT count(*) FROM audit_records WHERE action = 'gateway.update'", Cancel));
    }

    [Fact]
    public async Task What_cannot_be_dialled_is_refused_by_field_and_what_was_never_dialled_at_all()
    {
        await EnrolAsync("aurora", hidden: false);
        await EnrolAsync("laptop", hidden: true);
        foreach (var (endpoints, field) in new[] { (Array.Empty<string>(), "/spec/endpoints"), (["example.org:51820"], "/spec/endpoints/0"), (["203.0.113.7:51820", "203.0.113.8"], "/spec/endpoints/1") })
        {
            var refused = await PatchAsync("aurora", endpoints);
            Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
            Assert.Contains(field, (await refused.Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!.Errors!.Keys);
        }

        var problem = (await (await PatchAsync("laptop", "203.0.113.7:51820")).Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!;
        Assert.Equal("gateway-outbound-only", problem.Code);
    }

    async Task EnrolAsync(string cluster, bool hidden) =>
        Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(cluster, 1, Cancel), cluster, "gw1", null, Cancel, hidden: hidden)).StatusCode);

    Task<HttpResponseMessage> PatchAsync(string cluster, params string[] endpoints) =>
        _service.Admin.PatchAsJsonAsync($"/api/v1/gateways/{cluster}/gw1", new UpdateGateway(new UpdateGatewaySpec(null) { Endpoints = endpoints }), MeshJson.Options, Cancel);
}
