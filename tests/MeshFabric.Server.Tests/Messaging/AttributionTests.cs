using System.Text;
using System.Text.Json.Nodes;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;
using RabbitMQ.Client;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>What an agent says counts as its own, whatever the message says; and it can only speak of what there is.</summary>
[Collection(BrokerTests.Name)]
public sealed class AttributionTests(TwoAgents mesh) : IClassFixture<TwoAgents>
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_that_claims_to_be_B_s_in_every_field_is_A_s()
    {
        var before = await GatewayAsync("borealis");

        await SendAsync(BrokerNames.Beat(mesh.A.Id), Wire.Envelope(new AgentHeartbeat("claims-to-be-b", 1, 1, 0, 0),
            ("sourceAddress", $"rabbitmq://127.0.0.1/x/{BrokerNames.Up(mesh.B.Id)}"), ("gatewayId", mesh.B.Id),
            ("host", new System.Text.Json.Nodes.JsonObject { ["machineName"] = mesh.B.Id }),
            ("headers", new System.Text.Json.Nodes.JsonObject { ["gatewayId"] = mesh.B.Id, ["sender"] = mesh.B.User })));

        await Until.TrueAsync(async () => (await GatewayAsync("aurora")).Status.AgentVersion == "claims-to-be-b", TimeSpan.FromSeconds(15), () => "A's heartbeat was not stored", Cancel);
        var after = await GatewayAsync("borealis");
        Assert.Equal((before.Status.AgentVersion, before.Status.LastSeen), (after.Status.AgentVersion, after.Status.LastSeen));
    }

    [Fact]
    public async Task Reports_about_gateways_that_there_are_not_are_not_stored_and_those_about_real_ones_are()
    {
        var made = Enumerable.Range(0, 500).Select(i => Report($"cluster-{i}", "gw1"))
            .Append(Report("borealis", "made-up")).Append(Report("aurora", "gw1")).Append(Report("borealis", "gw1"));

        await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new GatewayReported("reporter", "kernel", 1, 1, true, made.ToValueList(), [], null)));

        await Until.TrueAsync(async () => (await GatewayAsync("aurora")).Status.AgentVersion == "reporter", TimeSpan.FromSeconds(15), () => "the report was not stored", Cancel);
        var stored = await PostgresServer.QueryAsync(mesh.Control.Settings.Database, "SELECT string_agg(peer_cluster || '/' || peer_gateway, ' ') FROM tunnel_reports", Cancel);
        Assert.Equal("borealis/gw1", stored);
        Assert.Equal(0L, await PostgresServer.QueryAsync(mesh.Control.Settings.Database, "SELECT count(*) FROM events WHERE message LIKE '%cluster-%' OR message LIKE '%made-up%'", Cancel));
    }

    [Fact]
    public async Task A_reported_inventory_keeps_the_rules_that_a_person_s_keeps()
    {
        var good = new ClusterInventory(ClusterKind.Site, new ClusterLocation("here", "", ""), [], [Cidr.Parse("10.10.0.0/16")], [], "", []);
        // Whichever test ran before this one.
        await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new InventoryReported(good)));
        await Until.TrueAsync(async () => (await mesh.Control.Api.GetClusterAsync("aurora", Cancel)) is { Spec.Provider: "here", Status.Findings.Count: 0 }, TimeSpan.FromSeconds(15), () => "the good inventory was not taken", Cancel);
        var many = Enumerable.Range(0, 65).Select(i => Cidr.Parse($"10.100.{i}.0/24")).ToValueList();
        foreach (var bad in new[] { good with { PodCidrs = many }, good with { Labels = [new Label("no label", "x")] }, good with { Location = new ClusterLocation(new string('x', 300), "", "") } })
        {
            await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new InventoryReported(bad)));
            await Until.TrueAsync(async () => (await mesh.Control.Api.GetClusterAsync("aurora", Cancel)).Status.Findings.Any(f => f.Code == "inventory-refused"), TimeSpan.FromSeconds(15), () => "the inventory was not refused", Cancel);
            Assert.Equal("10.10.0.0/16", Assert.Single((await mesh.Control.Api.GetClusterAsync("aurora", Cancel)).Status.Prefixes).Local.ToString());

            await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new InventoryReported(good)));
            await Until.TrueAsync(async () => (await mesh.Control.Api.GetClusterAsync("aurora", Cancel)) is { Spec.Provider: "here", Status.Findings.Count: 0 }, TimeSpan.FromSeconds(15), () => "the good inventory was not taken", Cancel);
        }
    }

    [Fact]
    public async Task A_reported_networking_is_shown_and_an_older_agent_that_tells_none_leaves_it()
    {
        var spec = (await mesh.Control.Api.GetClusterAsync("aurora", Cancel)).Spec;
        var networking = new ClusterNetworking(
            new DataPath(CniPlugin.Flannel, "vxlan", "v0.26.1", "kube-flannel", "DaemonSet kube-flannel/kube-flannel-ds"),
            new PolicyEngine("none", "no DaemonSet of an engine"),
            new ServiceProxy("kube-proxy", "iptables", [Cidr.Parse("10.10.0.0/16")], "DaemonSet kube-system/kube-proxy"),
            "kube-flannel-cfg",
            "kubeadm-config",
            [new Finding(FindingSeverity.Warning, "cni-several-configs", "node/n1", "n1 has two.", "Remove one.")]);
        var told = new ClusterInventory(spec.Kind, new ClusterLocation("teller", "", ""), [], spec.PodCidrs, [], "", []) { Networking = networking };
        await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new InventoryReported(told)));
        await Until.TrueAsync(async () => networking.Equals((await mesh.Control.Api.GetClusterAsync("aurora", Cancel)).Status.Networking), TimeSpan.FromSeconds(15), () => "the networking was not stored", Cancel);

        var older = JsonNode.Parse(Wire.Envelope(new InventoryReported(told with { Location = new ClusterLocation("older", "", "") })))!;
        Assert.True(older["message"]!["inventory"]!.AsObject().Remove("networking"));
        await SendAsync(BrokerNames.Up(mesh.A.Id), Encoding.UTF8.GetBytes(older.ToJsonString()));
        ClusterResource? seen = null;
        await Until.TrueAsync(async () => (seen = await mesh.Control.Api.GetClusterAsync("aurora", Cancel)).Spec.Provider == "older", TimeSpan.FromSeconds(15), () => "the older agent's inventory was not taken", Cancel);
        Assert.Equal(networking, seen!.Status.Networking);

        var endless = told with { Networking = networking with { PodCidrSource = new string('x', ClusterNetworking.MaxText + 1) } };
        await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new InventoryReported(endless)));
        await Until.TrueAsync(async () => (await mesh.Control.Api.GetClusterAsync("aurora", Cancel)).Status.Findings.Any(f => f.Code == "inventory-refused"), TimeSpan.FromSeconds(15), () => "endless text was not refused", Cancel);
        await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new InventoryReported(told)));
        await Until.TrueAsync(async () => (await mesh.Control.Api.GetClusterAsync("aurora", Cancel)) is { Spec.Provider: "teller", Status.Findings.Count: 0 }, TimeSpan.FromSeconds(15), () => "the good inventory was not taken", Cancel);
    }

    [Fact]
    public async Task A_probe_s_answer_is_taken_from_those_that_were_asked_each_for_itself()
    {
        var probe = await mesh.Control.Api.CreateProbeAsync(new CreateProbe("aurora", "borealis", 1, 10, null), Cancel);
        var stranger = await TestAgent.JoinAsync(mesh.Control.Settings, "cirrus", "gw1", "10.30.0.0/16", Cancel);
        var lie = new ProbeCompleted(probe.Id, [new ProbeResult("mf0", "gw1", 1, 1, [0.001], "a lie")]);
        await using (var connection = await stranger.ConnectAsync(Cancel))
        await using (var channel = await connection.ConfirmedAsync(Cancel))
        {
            await channel.PublishAsync(BrokerNames.Up(stranger.Id), Wire.Envelope(lie), Cancel);
        }

        await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(lie));

        ProbeResource? seen = null;
        await Until.TrueAsync(async () => (seen = await mesh.Control.Api.GetProbeAsync(probe.Id, Cancel)).Gateways.Any(g => g.Answered), TimeSpan.FromSeconds(15), () => "A's own answer was not stored", Cancel);
        Assert.Equal(["aurora"], seen!.Gateways.Where(g => g.Answered).Select(g => g.Cluster));
        Assert.DoesNotContain(seen.Gateways, g => g.Cluster == "cirrus");
    }

    [Fact]
    public async Task An_inventory_changes_only_the_sender_s_own_cluster_and_takes_nobody_s_prefix_away()
    {
        var before = await mesh.Control.Api.GetClusterAsync("borealis", Cancel);
        var theirs = Cidr.Parse("10.20.0.0/16");

        await SendAsync(BrokerNames.Up(mesh.A.Id), Wire.Envelope(new InventoryReported(new ClusterInventory(ClusterKind.Site, new ClusterLocation("takes", "", ""), [], [theirs], [], "", []))));

        ClusterResource? aurora = null;
        await Until.TrueAsync(async () => (aurora = await mesh.Control.Api.GetClusterAsync("aurora", Cancel)).Spec.Provider == "takes", TimeSpan.FromSeconds(15), () => "the inventory was not stored", Cancel);
        var after = await mesh.Control.Api.GetClusterAsync("borealis", Cancel);
        Assert.Equal(before.Spec, after.Spec);
        Assert.Equal(theirs, Assert.Single(after.Status.Prefixes).Mesh);
        Assert.NotEqual(theirs, Assert.Single(aurora!.Status.Prefixes).Mesh);
    }

    [Fact]
    public async Task The_sender_guard_s_twin_an_administrator_s_message_by_the_ingress_has_no_sender_and_is_refused()
    {
        var before = mesh.Control.Log.Count(2001);
        await using var admin = await mesh.Rabbit.ConnectAsync(mesh.Control.Settings.VirtualHost, Cancel);
        await using var channel = await admin.ConfirmedAsync(Cancel);

        await channel.PublishAsync(BrokerNames.Ingress, Wire.Envelope(new AgentHeartbeat("nobody", 1, 1, 0, 0)), Cancel);

        await Until.TrueAsync(() => mesh.Control.Log.Count(2001) > before, TimeSpan.FromSeconds(15), () => "it was not refused", Cancel);
    }

    static TunnelReport Report(string cluster, string gateway) => new("mf0", cluster, gateway, TunnelState.Connected, null, null, null, null, 0, 0);

    Task<GatewayResource> GatewayAsync(string cluster) => mesh.Control.Api.GetAsync<GatewayResource>($"gateways/{cluster}/gw1", Cancel);

    async Task SendAsync(string exchange, byte[] body)
    {
        await using var connection = await mesh.ConnectAsAAsync();
        await using var channel = await connection.ConfirmedAsync(Cancel);
        await channel.PublishAsync(exchange, body, Cancel);
    }
}
