using System.Net;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

/// <summary>Reports of agents may come many at once, as they do after the broker or the control service was away.</summary>
public sealed class ReportTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await ControlService.StartAsync(postgres, Cancel);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_change_is_an_event_and_only_one_however_many_reports_tell_it_at_once()
    {
        foreach (var (cluster, cidr) in new[] { ("aurora", "10.10.0.0/16"), ("borealis", "10.20.0.0/16") })
        {
            var enrolled = await _service.EnrolAsync(await _service.JoinTokenAsync(null, 1, Cancel), cluster, "gw1", cidr, Cancel);
            Assert.Equal(HttpStatusCode.Created, enrolled.StatusCode);
        }

        var gateway = (string)(await PostgresServer.QueryAsync(_service.Database, "SELECT g.id FROM gateways g JOIN clusters c ON c.id = g.cluster_id WHERE c.name = 'aurora'", Cancel))!;
        // Once before there is a row of the tunnel, and then from one state to the next.
        foreach (var (state, type) in new[] { (TunnelState.Connected, "tunnel-connected"), (TunnelState.Down, "tunnel-down") })
        {
            var report = new GatewayReported("test", "kernel", 1, 1, true, [new TunnelReport("mf0", "borealis", "gw1", state, null, null, null, null, 0, 0)], [], null);
            await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => _service.Inbox.OnGatewayReportedAsync(gateway, report, Cancel)));

            Assert.Equal(1L, await PostgresServer.QueryAsync(_service.Database, $"SELECT count(*) FROM events WHERE type = '{type}'", Cancel));
        }

        // Handled at once, they may be stored in another order than they were made.
        foreach (var (number, state) in new[] { (2L, TunnelState.Connected), (1L, TunnelState.Down), (2L, TunnelState.Connected), (3L, TunnelState.Down) })
        {
            var report = new GatewayReported("test", "kernel", 1, 1, true, [new TunnelReport("mf0", "borealis", "gw1", state, null, null, null, null, 0, 0)], [], null) { Session = "first", Number = number };
            await _service.Inbox.OnGatewayReportedAsync(gateway, report, Cancel);
            Assert.Equal(number == 3 ? "Down" : "Connected", await PostgresServer.QueryAsync(_service.Database, "SELECT state FROM tunnel_reports", Cancel));
        }

        foreach (var (number, cidr) in new[] { (2L, "10.12.0.0/16"), (1L, "10.11.0.0/16") })
        {
            var inventory = new ClusterInventory(ClusterKind.Site, ClusterLocation.Unknown, [], [Cidr.Parse(cidr)], [], "", []);
            await _service.Inbox.OnInventoryReportedAsync(gateway, new InventoryReported(inventory) { Session = "first", Number = number }, Cancel);
            Assert.Equal("10.12.0.0/16", (await _service.FactsAsync(Cancel)).Clusters.Single(c => c.Name == "aurora").Prefixes.Single().Local.ToString());
        }

        // An agent that was started again numbers anew.
        await _service.Inbox.OnGatewayReportedAsync(gateway, new GatewayReported("test", "kernel", 1, 1, true, [new TunnelReport("mf0", "borealis", "gw1", TunnelState.Connected, null, null, null, null, 0, 0)], [], null) { Session = "second", Number = 1 }, Cancel);
        Assert.Equal("Connected", await PostgresServer.QueryAsync(_service.Database, "SELECT state FROM tunnel_reports", Cancel));

        // That nobody answers any more says nothing of the gateway.
        foreach (var inside in new bool?[] { true, false, false, null, false, true })
        {
            var report = new GatewayReported("test", "kernel", 1, 1, true, [new TunnelReport("mf0", "borealis", "gw1", TunnelState.Down, null, null, null, null, 0, 0) { ReachesInside = inside }], [], null);
            await _service.Inbox.OnGatewayReportedAsync(gateway, report, Cancel);
        }

        Assert.Equal(2L, await PostgresServer.QueryAsync(_service.Database, "SELECT count(*) FROM events WHERE type = 'gateway-blind' AND severity = 'warning' AND subject = 'gateway/borealis/gw1'", Cancel));
        Assert.Equal(2L, await PostgresServer.QueryAsync(_service.Database, "SELECT count(*) FROM events WHERE type = 'gateway-sees'", Cancel));
    }
}
