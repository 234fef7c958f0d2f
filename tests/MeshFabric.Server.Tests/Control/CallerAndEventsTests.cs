using System.Net;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Control;

/// <summary>What mfctl whoami and mfctl events ask the API.</summary>
public sealed class CallerAndEventsTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await ControlService.StartAsync(postgres, Cancel);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_caller_is_told_its_name_role_and_expiry()
    {
        var made = await _service.Admin.PostAsJsonAsync("/api/v1/api-tokens", new CreateApiToken("ci", "viewer", 3600, null), MeshJson.Options, Cancel);
        var token = (await made.Content.ReadFromJsonAsync<ApiTokenResource>(MeshJson.Options, Cancel))!;
        using var viewer = _service.Client(token.Status.Token);

        var me = (await viewer.GetFromJsonAsync<CallerResource>("/api/v1/users/me", MeshJson.Options, Cancel))!;
        var admin = (await _service.Admin.GetFromJsonAsync<CallerResource>("/api/v1/users/me", MeshJson.Options, Cancel))!;

        Assert.Equal(new CallerResource("ci", token.Metadata.Uid, "viewer", token.Spec.ExpiresAt!.Value), me with { ExpiresAt = token.Spec.ExpiresAt });
        Assert.True((me.ExpiresAt!.Value - token.Spec.ExpiresAt!.Value).Duration() < TimeSpan.FromMilliseconds(1));
        Assert.Equal(("admin", null), (admin.Role, admin.ExpiresAt));
        Assert.Equal(HttpStatusCode.Unauthorized, (await _service.Anonymous.GetAsync("/api/v1/users/me", Cancel)).StatusCode);
    }

    [Fact]
    public async Task Events_are_filtered_by_age()
    {
        await _service.EnrolAsync(await _service.JoinTokenAsync("aurora", 1, Cancel), "aurora", "gw1", "10.10.0.0/16", Cancel);

        await _service.EventsAsync(Cancel);
        var all = await EventsAsync("&wait=20");
        var recent = await EventsAsync("&since=2020-01-01T00:00:00Z");
        var future = await EventsAsync("&since=2999-01-01T00:00:00Z");
        var refused = await _service.Admin.GetAsync("/api/v1/events?since=yesterday", Cancel);

        Assert.Contains(all.Items, e => e.Type == "gateway-enrolled");
        Assert.Equal(all.Items.Select(e => e.Sequence), recent.Items.Select(e => e.Sequence));
        Assert.Empty(future.Items);
        Assert.Equal(0, future.Total);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("?since=", (await refused.Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!.Detail, StringComparison.Ordinal);
    }

    async Task<Page<EventResource>> EventsAsync(string query) =>
        (await _service.Admin.GetFromJsonAsync<Page<EventResource>>($"/api/v1/events?limit=500{query}", MeshJson.Options, Cancel))!;
}
