using System.Net;
using System.Net.Http.Json;
using System.Text;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

public sealed class DrainTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        foreach (var gateway in new[] { "gw1", "gw2" })
        {
            Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(gateway == "gw1" ? null : "aurora", 1, Cancel), "aurora", gateway, "10.10.0.0/16", Cancel)).StatusCode);
        }
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_gateway_is_drained_and_undrained_once_each_however_often_it_is_asked_for()
    {
        var before = await RevisionAsync();
        foreach (var drained in new[] { true, true, false, false })
        {
            var answer = await PatchAsync("gw1", $$$"""{"spec":{"drained":{{{(drained ? "true" : "false")}}}}}""");
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal(drained, (await answer.Content.ReadFromJsonAsync<GatewayResource>(MeshJson.Options, Cancel))!.Spec.Drained);
        }

        Assert.Equal(before + 2, await RevisionAsync());
        var events = await _service.EventsAsync(Cancel);
        Assert.Equal(["gateway-drained", "gateway-undrained"], events.Select(e => e.Type).Where(t => t.EndsWith("drained", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.False((await _service.Admin.GetFromJsonAsync<GatewayResource>("/api/v1/gateways/aurora/gw2", MeshJson.Options, Cancel))!.Spec.Drained);
    }

    [Fact]
    public async Task A_change_of_nothing_and_a_change_of_nobody_are_refused()
    {
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PatchAsync("gw1", "{}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await PatchAsync("gw9", """{"spec":{"drained":true}}""")).StatusCode);
    }

    async Task<long> RevisionAsync() => (await _service.Admin.GetFromJsonAsync<MeshResource>("/api/v1/mesh", MeshJson.Options, Cancel))!.Revision;

    Task<HttpResponseMessage> PatchAsync(string gateway, string json) =>
        _service.Admin.PatchAsync($"/api/v1/gateways/aurora/{gateway}", new StringContent(json, Encoding.UTF8, "application/json"), Cancel);
}
