using System.Net;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

public sealed class AdvertisedServicesTests(PostgresServer postgres) : IAsyncLifetime
{
    static readonly Cidr Services = Cidr.Parse("10.96.0.0/16");

    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await ControlService.StartAsync(postgres, Cancel);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Services_get_a_prefix_of_the_pool_when_somebody_asks_for_it_and_give_it_back()
    {
        var created = await CreateAsync("kubernetes", advertise: null);
        Assert.DoesNotContain(created.Status.Prefixes, p => p.Services);

        var on = await ReadAsync(await PatchAsync("""{"spec":{"advertiseServices":true}}"""));
        Assert.True(on.Spec.AdvertiseServices);
        Assert.Equal(new MeshPrefix(Services, Cidr.Parse("100.64.0.0/16")) { Services = true }, Assert.Single(on.Status.Prefixes, p => p.Services));
        Assert.Equal(["10.10.0.0/16"], on.Spec.PodCidrs.Select(c => c.ToString()));
        Assert.True(on.Status.FactsRevision > created.Status.FactsRevision);
        var again = await ReadAsync(await PatchAsync("""{"spec":{"advertiseServices":true}}"""));
        Assert.Equal(on.Status.FactsRevision, again.Status.FactsRevision);

        var off = await ReadAsync(await PatchAsync("""{"spec":{"advertiseServices":false}}"""));
        Assert.DoesNotContain(off.Status.Prefixes, p => p.Services);
        var events = await _service.EventsAsync(Cancel);
        Assert.Equal(2, events.Count(e => e.Type == "cluster-changed"));
    }

    [Fact]
    public async Task A_cluster_may_advertise_its_services_from_the_beginning()
    {
        var created = await CreateAsync("kubernetes", advertise: true);
        Assert.Contains(created.Status.Prefixes, p => p.Services && p.Local == Services);
    }

    [Fact]
    public async Task A_site_has_no_services_to_advertise()
    {
        var refused = await _service.Admin.PostAsJsonAsync("/api/v1/clusters", Body("site", true), MeshJson.Options, Cancel);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.Contains("/spec/advertiseServices", (await ProblemAsync(refused)).Errors!.Keys);

        await CreateAsync("site", advertise: null);
        var conflict = await PatchAsync("""{"spec":{"advertiseServices":true}}""");
        Assert.Equal((HttpStatusCode.Conflict, "cluster-without-services"), (conflict.StatusCode, (await ProblemAsync(conflict)).Code));
    }

    [Fact]
    public async Task A_change_of_nothing_and_a_change_of_nobody_are_refused()
    {
        await CreateAsync("kubernetes", advertise: null);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PatchAsync("{}")).StatusCode);
        var unknown = await _service.Admin.PatchAsync("/api/v1/clusters/nobody", JsonContent.Create(new UpdateCluster(new UpdateClusterSpec(true)), options: MeshJson.Options), Cancel);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    static CreateCluster Body(string kind, bool? advertise) => new("aurora", null, new CreateClusterSpec(kind, null, null, null, ["10.10.0.0/16"], [Services.ToString()], advertise));

    async Task<ClusterResource> CreateAsync(string kind, bool? advertise) =>
        await ReadAsync(await _service.Admin.PostAsJsonAsync("/api/v1/clusters", Body(kind, advertise), MeshJson.Options, Cancel));

    Task<HttpResponseMessage> PatchAsync(string json) =>
        _service.Admin.PatchAsync("/api/v1/clusters/aurora", new StringContent(json, System.Text.Encoding.UTF8, "application/json"), Cancel);

    static async Task<ClusterResource> ReadAsync(HttpResponseMessage answer)
    {
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancel));
        return (await answer.Content.ReadFromJsonAsync<ClusterResource>(MeshJson.Options, Cancel))!;
    }

    static async Task<Problem> ProblemAsync(HttpResponseMessage answer) => (await answer.Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!;
}
