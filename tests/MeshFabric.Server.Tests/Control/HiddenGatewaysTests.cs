using System.Net;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Control;

/// <summary>aurora and borealis can only dial out; hub can be dialled.</summary>
public sealed class HiddenGatewaysTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        await EnrolAsync("hub", "10.30.0.0/16", hidden: false);
        await EnrolAsync("aurora", "10.10.0.0/16", hidden: true);
        await EnrolAsync("borealis", "10.20.0.0/16", hidden: true);
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_pair_has_its_relay_with_the_revision_that_makes_it_a_pair_and_loses_it_with_either_side()
    {
        var relay = Assert.Single((await GatewayAsync("hub")).Relays);
        Assert.Equal((await GatewayAsync("borealis")).Id, relay.FarOf((await GatewayAsync("aurora")).Id));
        var facts = await _service.FactsAsync(Cancel);
        Assert.Equal(facts.Revision, facts.Clusters.Single(c => c.Name == "hub").Revision);

        Assert.Equal(HttpStatusCode.NoContent, (await _service.Admin.DeleteAsync("/api/v1/clusters/borealis", Cancel)).StatusCode);
        Assert.Empty((await GatewayAsync("hub")).Relays);
    }

    [Fact]
    public async Task Where_others_see_a_gateway_is_a_fact_from_the_report_on_and_again_when_that_changes()
    {
        await HubSeesAsync("aurora", "203.0.113.7:1000");
        await IsSeenAtAsync("203.0.113.7:1000");

        var before = (await _service.FactsAsync(Cancel)).Revision;
        await HubSeesAsync("aurora", "203.0.113.7:1000");
        await HubSeesAsync("aurora", "203.0.113.9:1000");
        await IsSeenAtAsync("203.0.113.9:1000");
        Assert.Equal(before + 1, (await _service.FactsAsync(Cancel)).Revision);
    }

    Task IsSeenAtAsync(string endpoint) =>
        Until.TrueAsync(async () => (await GatewayAsync("aurora")).ObservedEndpoints.SequenceEqual([new ObservedEndpoint(0, UdpEndpoint.Parse(endpoint))]), TimeSpan.FromSeconds(20), $"aurora to be known to be seen at {endpoint}", Cancel);

    [Fact]
    public async Task What_a_gateway_that_can_only_dial_out_says_of_others_is_no_fact()
    {
        await ReportAsync("borealis", [Tunnel("aurora", "203.0.113.66:6666")], null);
        await HubSeesAsync("aurora", "203.0.113.7:1000");
        await IsSeenAtAsync("203.0.113.7:1000");
    }

    [Fact]
    public async Task The_addresses_of_its_host_are_facts_of_a_gateway_that_can_only_dial_out_and_of_no_other()
    {
        foreach (var cluster in new[] { "aurora", "hub" })
        {
            await ReportAsync(cluster, [], new GatewayActual([], [], true) { Addresses = [Cidr.Parse("127.0.0.1/32"), Cidr.Parse("0.0.0.0/32"), Cidr.Parse("224.0.0.1/32"), Cidr.Parse("255.255.255.255/32"), Cidr.Parse("192.168.0.11/32"), Cidr.Parse("192.168.0.0/24"), Cidr.Parse("2001:db8::1/128")] });
        }

        Assert.Equal([UdpEndpoint.Parse("192.168.0.11:51820")], (await GatewayAsync("aurora")).PrivateEndpoints);
        Assert.Empty((await GatewayAsync("hub")).PrivateEndpoints);
    }

    async Task EnrolAsync(string cluster, string cidr, bool hidden) =>
        Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(null, 1, Cancel), cluster, "gw1", cidr, Cancel, hidden: hidden)).StatusCode);

    Task HubSeesAsync(string cluster, string endpoint) => ReportAsync("hub", [Tunnel(cluster, endpoint)], null);

    static TunnelReport Tunnel(string cluster, string endpoint) => new("mf0", cluster, "gw1", TunnelState.Connected, UdpEndpoint.Parse(endpoint), DateTimeOffset.UtcNow, 0.010, 0, 1, 1);

    async Task ReportAsync(string cluster, ValueList<TunnelReport> tunnels, GatewayActual? actual) =>
        await _service.Inbox.OnGatewayReportedAsync((await GatewayAsync(cluster)).Id, new GatewayReported("test", "kernel", 1, 1, true, tunnels, [], actual), Cancel);

    async Task<GatewayFacts> GatewayAsync(string cluster) => (await _service.FactsAsync(Cancel)).Clusters.Single(c => c.Name == cluster).Gateways[0];
}
