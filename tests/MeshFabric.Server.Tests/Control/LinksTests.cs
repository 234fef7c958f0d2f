using System.Net;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

/// <summary>Links: all tunnels of two clusters in one record.</summary>
public sealed class LinksTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await ControlService.StartAsync(postgres, Cancel);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_link_is_the_sum_of_its_tunnels_as_both_sides_see_them()
    {
        var aurora = (await GatewayAsync("aurora", "gw1"), await GatewayAsync("aurora", "gw2"));
        var borealis = await GatewayAsync("borealis", "gw1");
        var cirrus = await GatewayAsync("cirrus", "gw1");
        Assert.Equal(["aurora--borealis unknown 0/2", "aurora--cirrus unknown 0/2", "borealis--cirrus unknown 0/1"], await LinksAsync());

        // One side alone says nothing of whether packets come back.
        await ReportAsync(aurora.Item1, Tunnel("borealis", "gw1", TunnelState.Connected));
        Assert.Contains("aurora--borealis unknown 0/2", await LinksAsync());

        // That it is down may say either.
        await ReportAsync(cirrus, Tunnel("aurora", "gw1", TunnelState.Down));
        Assert.Contains("aurora--cirrus down 0/2", await LinksAsync());
        await PostgresServer.QueryAsync(_service.Database, $"DELETE FROM tunnel_reports WHERE gateway_id = '{cirrus}'", Cancel);

        await ReportAsync(borealis, Tunnel("aurora", "gw1", TunnelState.Connected), Tunnel("aurora", "gw2", TunnelState.Down));
        await ReportAsync(aurora.Item2, Tunnel("borealis", "gw1", TunnelState.Connected));
        Assert.Contains("aurora--borealis degraded 1/2", await LinksAsync());

        await ReportAsync(borealis, Tunnel("aurora", "gw1", TunnelState.Connected, relay: "cirrus/gw1") with { RoundTripSeconds = 0.004 }, Tunnel("aurora", "gw2", TunnelState.Connected) with { LossRatio = 0.25 });
        Assert.Contains("aurora--borealis connected 2/2 relayed 1", await LinksAsync());
        var link = (await PageAsync("?cluster=borealis")).Items.Single(l => l.A == "aurora");
        Assert.Equal((0.004, 0.25), (link.RttSeconds, link.LossRatio));

        await ReportAsync(borealis, Tunnel("aurora", "gw1", TunnelState.Down), Tunnel("aurora", "gw2", TunnelState.Down));
        Assert.Contains("aurora--borealis down 0/2", await LinksAsync());

        // Filters.
        Assert.Equal(["aurora--borealis down 0/2"], await LinksAsync("?state=down&state=degraded"));
        Assert.Equal(["aurora--cirrus unknown 0/2", "borealis--cirrus unknown 0/1"], await LinksAsync("?cluster=cirrus"));
        Assert.Empty(await LinksAsync("?cluster=nobody"));

        // What is not heard of any more says nothing about now.
        await PostgresServer.QueryAsync(_service.Database, "UPDATE gateways SET last_seen = now() - interval '1 hour'", Cancel);
        Assert.Contains("aurora--borealis unknown 0/2", await LinksAsync());
    }

    [Fact]
    public async Task Links_that_the_topology_does_not_want_are_none_and_pages_follow_each_other()
    {
        foreach (var cluster in new[] { "a", "a-b", "ab", "b", "hub" })
        {
            await GatewayAsync(cluster, "gw1");
        }

        var first = await PageAsync("?limit=4");
        var names = new List<string>(first.Items.Select(Name));
        for (var cursor = first.NextCursor; cursor is not null;)
        {
            var page = await PageAsync($"?limit=4&cursor={cursor}");
            names.AddRange(page.Items.Select(Name));
            cursor = page.NextCursor;
        }

        Assert.Equal((10, 10, 10), (first.Total, names.Count, names.Distinct().Count()));

        (await _service.Admin.PatchAsJsonAsync("/api/v1/clusters/hub", new UpdateCluster(null) { Labels = new Dictionary<string, string?> { ["role"] = "hub" } }, MeshJson.Options, Cancel)).EnsureSuccessStatusCode();
        var spec = System.Text.Json.JsonSerializer.SerializeToElement(new TopologySpec("hub-and-spoke", "role=hub"), MeshJson.Options);
        (await _service.Admin.PostAsJsonAsync("/api/v1/manifests/apply", new ApplyManifests([new Manifest("meshfabric.io/v1", "Topology", new ManifestMetadata("mesh"), spec)]), MeshJson.Options, Cancel)).EnsureSuccessStatusCode();
        Assert.Equal(["a--hub", "a-b--hub", "ab--hub", "b--hub"], (await PageAsync("")).Items.Select(Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Tunnels_can_be_asked_for_by_both_their_clusters()
    {
        foreach (var (cluster, gateway) in new[] { ("aurora", "gw1"), ("aurora", "gw2"), ("borealis", "gw1"), ("cirrus", "gw1") })
        {
            await GatewayAsync(cluster, gateway);
        }

        var page = (await _service.Admin.GetFromJsonAsync<Page<TunnelResource>>("/api/v1/tunnels?cluster=borealis&peer=aurora", MeshJson.Options, Cancel))!;
        Assert.Equal(["aurora.gw1--borealis.gw1", "aurora.gw2--borealis.gw1"], page.Items.Select(t => t.Metadata.Name));
    }

    static string Name(LinkResource link) => $"{link.A}--{link.B}";

    async Task<IReadOnlyList<string>> LinksAsync(string query = "") =>
        [.. (await PageAsync(query)).Items.Select(l => $"{Name(l)} {l.State} {l.TunnelsConnected}/{l.TunnelsWanted}{(l.TunnelsRelayed > 0 ? $" relayed {l.TunnelsRelayed}" : "")}")];

    async Task<Page<LinkResource>> PageAsync(string query) => (await _service.Admin.GetFromJsonAsync<Page<LinkResource>>($"/api/v1/links{query}", MeshJson.Options, Cancel))!;

    async Task<string> GatewayAsync(string cluster, string gateway)
    {
        var enrolled = await _service.EnrolAsync(await _service.JoinTokenAsync(cluster, 1, Cancel), cluster, gateway, null, Cancel);
        Assert.True(enrolled.StatusCode == HttpStatusCode.Created, await enrolled.Content.ReadAsStringAsync(Cancel));
        return (await enrolled.Content.ReadFromJsonAsync<EnrolmentResource>(MeshJson.Options, Cancel))!.GatewayId;
    }

    static TunnelReport Tunnel(string cluster, string gateway, TunnelState state, string? relay = null) => new("mf0", cluster, gateway, state, null, null, 0.01, 0, 0, 0) { Relay = relay };

    Task ReportAsync(string gateway, params TunnelReport[] tunnels) => _service.Inbox.OnGatewayReportedAsync(gateway, new GatewayReported("test", "kernel", 1, 1, true, [.. tunnels], [], null), Cancel);
}
