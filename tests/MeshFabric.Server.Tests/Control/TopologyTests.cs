using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

/// <summary>What is declared by manifests: the topology, and labels of clusters.</summary>
public sealed class TopologyTests(PostgresServer postgres) : IAsyncLifetime
{
    const string HubAndSpoke = """{"apiVersion":"meshfabric.io/v1","kind":"Topology","metadata":{"name":"mesh"},"spec":{"type":"hub-and-spoke","hubs":"role=hub"}}""";

    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // aurora and borealis are spokes to be; centre and delta hubs.
    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        foreach (var (cluster, gateway, cidr) in new[] { ("aurora", "gw1", "10.10.0.0/16"), ("borealis", "gw1", "10.20.0.0/16"), ("centre", "gw1", "10.30.0.0/16"), ("centre", "gw2", "10.30.0.0/16"), ("delta", "gw1", "10.40.0.0/16") })
        {
            Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(gateway == "gw1" ? null : cluster, 1, Cancel), cluster, gateway, cidr, Cancel)).StatusCode);
        }
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_mesh_is_a_full_mesh_until_somebody_declares_another_topology()
    {
        var topology = await GetAsync<TopologyResource>("topology");
        Assert.Equal(("full-mesh", 9L), (topology.Spec.Type, topology.Status.Tunnels));
        Assert.All(topology.Status.Clusters, c => Assert.Equal(("peer", 3, 0, 0), (c.Role, c.Linked, c.ByHubs, c.Unreached)));
    }

    [Fact]
    public async Task A_dry_run_tells_which_tunnels_appear_and_go_and_changes_nothing()
    {
        var before = await GetAsync<MeshResource>("mesh");
        var result = await ApplyAsync("?dryRun=true", HubAndSpoke, Cluster("centre", "hub"));
        Assert.True(result.DryRun);
        Assert.Equal(["configured", "configured"], result.Manifests.Select(m => m.Result));
        Assert.Equal((9L, 6L, 0L, 3L), (result.Difference.TunnelsBefore, result.Difference.TunnelsAfter, result.Difference.Appearing, result.Difference.Going));
        Assert.Equal(["aurora.gw1--borealis.gw1", "aurora.gw1--delta.gw1", "borealis.gw1--delta.gw1"], result.Difference.Go);
        Assert.Equal(new PathDifference("aurora", "borealis", "direct", "by centre"), result.Difference.Paths[0]);
        Assert.Equal(before.Revision, (await GetAsync<MeshResource>("mesh")).Revision);
        Assert.Equal("full-mesh", (await GetAsync<TopologyResource>("topology")).Spec.Type);
        Assert.Empty((await GetAsync<ClusterResource>("clusters/centre")).Metadata.Labels);
        Assert.DoesNotContain("topology-changed", await EventsAsync());
    }

    [Fact]
    public async Task What_is_applied_holds_and_is_applied_once()
    {
        var before = (await GetAsync<MeshResource>("mesh")).Revision;
        Assert.Equal(before + 1, (await ApplyAsync("", HubAndSpoke, Cluster("centre", "hub"))).Revision);
        var topology = await GetAsync<TopologyResource>("topology");
        Assert.Equal(("hub-and-spoke", "role=hub", 6L), (topology.Spec.Type, topology.Spec.Hubs, topology.Status.Tunnels));
        Assert.Equal(("hub", 3, 0), topology.Status.Clusters.Where(c => c.Name == "centre").Select(c => (c.Role, c.Linked, c.ByHubs)).Single());
        Assert.Equal(("spoke", 1, 2), topology.Status.Clusters.Where(c => c.Name == "aurora").Select(c => (c.Role, c.Linked, c.ByHubs)).Single());
        Assert.Equal(6, (await GetAsync<MeshResource>("mesh")).TunnelsWanted);
        Assert.Equal(2, (await GetAsync<ClusterResource>("clusters/aurora")).Status.TunnelsWanted);
        Assert.Equal(2, (await GetAsync<Page<TunnelResource>>("tunnels?cluster=aurora")).Total);
        var explained = await GetAsync<GatewayExplanation>("gateways/aurora/gw1/explanation");
        Assert.Equal(["borealis", "delta"], explained.Wanted.Transits.Select(t => t.Cluster));

        var again = await ApplyAsync("", HubAndSpoke, Cluster("centre", "hub"));
        Assert.Equal(before + 1, again.Revision);
        Assert.All(again.Manifests, m => Assert.Equal("unchanged", m.Result));
        Assert.Single(await EventsAsync(), "topology-changed");
    }

    [Fact]
    public async Task Gateways_of_hubs_that_come_together_are_numbered_apart()
    {
        await ApplyAsync("", HubAndSpoke, Cluster("centre", "hub"), Cluster("delta", "hub"));
        Assert.Equal([0, 1], await OrdinalsAsync("centre"));
        Assert.Equal([2], await OrdinalsAsync("delta"));
        // Who comes later, too.
        Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync("delta", 1, Cancel), "delta", "gw2", "10.40.0.0/16", Cancel)).StatusCode);
        Assert.Equal([2, 3], await OrdinalsAsync("delta"));
    }

    [Fact]
    public async Task A_hub_that_comes_later_leaves_the_numbers_of_those_that_carry_alone()
    {
        await ApplyAsync("", HubAndSpoke, Cluster("centre", "hub"));
        var planned = await ApplyAsync("?dryRun=true", Cluster("aurora", "hub"));
        Assert.Equal((2, 2), (planned.Difference.Reconnecting, planned.Difference.Appearing));
        Assert.Contains("aurora.gw1--centre.gw1", planned.Difference.Reconnect);
        Assert.Equal(HttpStatusCode.OK, (await PatchAsync("aurora", """{"labels":{"role":"hub"}}""")).StatusCode);
        Assert.Equal([0, 1], await OrdinalsAsync("centre"));
        Assert.Equal([2], await OrdinalsAsync("aurora"));
        Assert.Single(await EventsAsync(), "gateway-renumbered");
    }

    [Fact]
    public async Task What_an_agent_says_of_its_cluster_makes_it_nobodys_hub()
    {
        await ApplyAsync("", HubAndSpoke, Cluster("centre", "hub"));
        var before = await GetAsync<TopologyResource>("topology");
        var facts = await _service.FactsAsync(Cancel);
        var told = new ClusterInventory(ClusterKind.Site, new ClusterLocation("", "here", ""), [new Label("role", "hub")], [Cidr.Parse("10.10.0.0/16")], [], "", []);
        await _service.Inbox.OnInventoryReportedAsync(facts.Clusters.Single(c => c.Name == "aurora").Gateways[0].Id, new InventoryReported(told), Cancel);
        Assert.Equal("hub", (await GetAsync<ClusterResource>("clusters/aurora")).Metadata.Labels["role"]);
        Assert.Equal(before.Status.Clusters.Select(c => (c.Name, c.Role, c.Linked)), (await GetAsync<TopologyResource>("topology")).Status.Clusters.Select(c => (c.Name, c.Role, c.Linked)));
    }

    [Theory]
    [InlineData("hub-and-spoke", "role=nobody", "No cluster is a hub")]
    [InlineData("regions", "role=nobody", "No region is declared for aurora, borealis, centre, delta")]
    public async Task What_is_probably_not_meant_is_said(string type, string hubs, string warning)
    {
        var result = await ApplyAsync("?dryRun=true", $$$"""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"{{{type}}}","hubs":"{{{hubs}}}"} }""");
        Assert.Contains(result.Warnings, w => w.Contains(warning, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Where_a_cluster_is_counts_when_somebody_who_may_said_so()
    {
        Assert.Equal(HttpStatusCode.Created, (await _service.Admin.PostAsJsonAsync("/api/v1/clusters", new { name = "east", labels = new { role = "hub" }, spec = new { region = "eu", podCidrs = new[] { "10.50.0.0/16" } } }, Cancel)).StatusCode);
        await ApplyAsync("", """{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"regions","hubs":"role=hub"}}""");
        var east = (await GetAsync<TopologyResource>("topology")).Status.Clusters.Single(c => c.Name == "east");
        Assert.Equal(("hub", "eu"), (east.Role, east.Region));
    }

    [Fact]
    public async Task Hubs_with_too_many_gateways_are_refused_and_so_is_one_gateway_more()
    {
        foreach (var cluster in new[] { "aurora", "borealis" })
        {
            foreach (var gateway in new[] { "gw2", "gw3" }.Take(cluster == "aurora" ? 2 : 1))
            {
                Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(cluster, 1, Cancel), cluster, gateway, cluster == "aurora" ? "10.10.0.0/16" : "10.20.0.0/16", Cancel)).StatusCode);
            }
        }

        // 3 + 2 + 2 + 1 = 8: just enough.
        await ApplyAsync("", """{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"hub-and-spoke","hubs":"meshfabric.io/name"}}""");
        var refused = await _service.EnrolAsync(await _service.JoinTokenAsync("delta", 1, Cancel), "delta", "gw2", "10.40.0.0/16", Cancel);
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.Equal("too-many-hub-gateways", (await refused.Content.ReadFromJsonAsync<Problem>(MeshJson.Lenient, Cancel))!.Code);
        Assert.Equal([.. Enumerable.Range(0, 8)], (await Task.WhenAll(new[] { "aurora", "borealis", "centre", "delta" }.Select(OrdinalsAsync))).SelectMany(o => o).Order());

        await ApplyAsync("", """{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"full-mesh"}}""");
        Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync("delta", 1, Cancel), "delta", "gw3", "10.40.0.0/16", Cancel)).StatusCode);
        var problem = await RefusedAsync(HttpStatusCode.Conflict, "", """{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"hub-and-spoke","hubs":"meshfabric.io/name"}}""");
        Assert.Equal("too-many-hub-gateways", problem.Code);
        Assert.Equal("full-mesh", (await GetAsync<TopologyResource>("topology")).Spec.Type);
    }

    [Fact]
    public async Task A_topology_is_refused_while_an_agent_that_knows_none_is_heard_of()
    {
        await BeatAsync("aurora", "0.0.9", null);
        await BeatAsync("borealis", "0.1.0", AgentCapabilities.Own);
        await BeatAsync("delta", "0.0.8", ["something-later"]);
        foreach (var query in new[] { "", "?dryRun=true" })
        {
            var problem = await RefusedAsync(HttpStatusCode.Conflict, query, HubAndSpoke, Cluster("centre", "hub"));
            Assert.Equal("agents-too-old", problem.Code);
            // The others say nothing at all, or what they know.
            Assert.Contains(": aurora/gw1 (0.0.9), delta/gw1 (0.0.8).", problem.Detail, StringComparison.Ordinal);
            Assert.Contains("Upgrade them first", problem.Detail, StringComparison.Ordinal);
        }

        Assert.Empty((await GetAsync<ClusterResource>("clusters/centre")).Metadata.Labels);
        await ApplyAsync("", """{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"full-mesh"}}""", Cluster("centre", "hub"));

        await BeatAsync("aurora", "0.1.0", AgentCapabilities.Own);
        Assert.Contains(": delta/gw1 (0.0.8).", (await RefusedAsync(HttpStatusCode.Conflict, "", HubAndSpoke)).Detail, StringComparison.Ordinal);
        // One that is away refuses nothing.
        await PostgresServer.QueryAsync(_service.Database, "UPDATE gateways SET last_seen = now() - interval '46 seconds' WHERE agent_version = '0.0.8' RETURNING 1", Cancel);
        Assert.Empty((await ApplyAsync("", HubAndSpoke)).Warnings);
    }

    [Fact]
    public async Task An_agent_that_knows_no_topologies_and_comes_later_is_told_wherever_the_mesh_is_looked_at()
    {
        await ApplyAsync("", HubAndSpoke, Cluster("centre", "hub"));
        Assert.Empty((await GetAsync<TopologyResource>("topology")).Status.Warnings);
        // A report says it as well as a heartbeat.
        await _service.Inbox.OnGatewayReportedAsync(await IdAsync("aurora"), new GatewayReported("0.1.0", "kernel", 1, 1, false, [], [], null) { Capabilities = AgentCapabilities.Own }, Cancel);
        Assert.Empty((await GetAsync<TopologyResource>("topology")).Status.Warnings);
        await _service.Inbox.OnGatewayReportedAsync(await IdAsync("aurora"), new GatewayReported("0.0.9", "kernel", 1, 1, false, [], [], null), Cancel);

        const string Told = "aurora/gw1 (0.0.9)";
        Assert.Contains(Told, Assert.Single((await GetAsync<TopologyResource>("topology")).Status.Warnings), StringComparison.Ordinal);
        Assert.Contains((await GetAsync<MeshResource>("mesh")).UnmetConditions, c => c.Contains(Told, StringComparison.Ordinal));
        // What is so already may be applied again, and so may what needs no topologies.
        Assert.Contains(Told, Assert.Single((await ApplyAsync("", HubAndSpoke)).Warnings), StringComparison.Ordinal);
        Assert.Empty((await ApplyAsync("", """{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"full-mesh"}}""")).Warnings);
        Assert.DoesNotContain((await GetAsync<MeshResource>("mesh")).UnmetConditions, c => c.Contains(Told, StringComparison.Ordinal));
    }

    async Task<string> IdAsync(string cluster) => (await _service.FactsAsync(Cancel)).Clusters.Single(c => c.Name == cluster).Gateways[0].Id;

    async Task BeatAsync(string cluster, string version, ValueList<string>? capabilities) =>
        await _service.Inbox.OnHeartbeatAsync(await IdAsync(cluster), new AgentHeartbeat(version, 1, 1, 0, 0) { Capabilities = capabilities }, Cancel);

    [Fact]
    public async Task Declared_labels_stay_beside_those_of_an_inventory()
    {
        Assert.Equal(HttpStatusCode.OK, (await PatchAsync("aurora", """{"labels":{"role":"hub","env":"prod"}}""")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await PatchAsync("aurora", """{"labels":{"env":null,"tier":"1"}}""")).StatusCode);
        Assert.Equal([("role", "hub"), ("tier", "1")], (await GetAsync<ClusterResource>("clusters/aurora")).Metadata.Labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => (l.Key, l.Value)));
        Assert.Equal(1, (await GetAsync<Page<ClusterResource>>("clusters?label=role=hub")).Total);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PatchAsync("aurora", """{"labels":{"ro le":"hub"}}""")).StatusCode);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PatchAsync("aurora", """{"labels":{"meshfabric.io/name":"borealis"}}""")).StatusCode);
        Assert.Equal(HttpStatusCode.Conflict, (await PatchAsync("aurora", $$"""{"labels":{{{string.Join(',', Enumerable.Range(0, 63).Select(i => $"\"l{i}\":\"\""))}}} }""")).StatusCode);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PatchAsync("aurora", "{}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await PatchAsync("nobody", """{"labels":{"role":"hub"}}""")).StatusCode);
    }

    [Theory]
    [InlineData("""{"apiVersion":"v1","kind":"Topology","spec":{"type":"full-mesh"}}""", "/manifests/0/apiVersion", "meshfabric.io/v1")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topologie"}""", "/manifests/0/kind", "'Topologie' is not Topology or Cluster")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology"}""", "/manifests/0/spec/type", "one is needed of full-mesh")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"star"}}""", "/manifests/0/spec/type", "'star' is not full-mesh")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","metadata":{"name":"other"},"spec":{"type":"full-mesh"}}""", "/manifests/0/metadata/name", "named mesh")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"hub-and-spoke"}}""", "/manifests/0/spec/hubs", "a label selector is needed")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"regions","hubs":"role in hub"}}""", "/manifests/0/spec/hubs", "no requirement of a label selector")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"regions","hubs":"a","regionLabel":"a b"}}""", "/manifests/0/spec/regionLabel", "not the key of a label")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"full-mesh","hubs":"role=hub"}}""", "/manifests/0/spec/hubs", "of type full-mesh has none")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"pairs","pairs":[]}}""", "/manifests/0/spec/pairs", "1 to 500 pairs")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"pairs","pairs":[{"between":"a"}]}}""", "/manifests/0/spec/pairs/0/and", "a label selector is needed")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Topology","spec":{"type":"full-mesh","colour":1}}""", "/manifests/0/spec/colour", "no such field")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Cluster","metadata":{"name":"aurora"},"spec":{"advertiseServices":"yes"}}""", "/manifests/0/spec/advertiseServices", "wrong type")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Cluster","metadata":{"name":"aurora","labels":{"a b":"c"}}}""", "/manifests/0/metadata/labels/a b", "not a Kubernetes label")]
    [InlineData("""{"apiVersion":"meshfabric.io/v1","kind":"Cluster"}""", "/manifests/0/metadata/name", "")]
    public async Task A_bad_manifest_is_refused_by_its_place_and_rule(string manifest, string pointer, string rule)
    {
        var before = (await GetAsync<MeshResource>("mesh")).Revision;
        var problem = await RefusedAsync(HttpStatusCode.UnprocessableEntity, "", manifest, Cluster("centre", "hub"));
        Assert.Contains(problem.Errors![pointer], e => e.Contains(rule, StringComparison.Ordinal));
        Assert.Equal(before, (await GetAsync<MeshResource>("mesh")).Revision);
    }

    [Fact]
    public async Task Beacons_are_declared_shown_and_told_to_all()
    {
        const string Manifest = """{"apiVersion":"meshfabric.io/v1","kind":"Cluster","metadata":{"name":"centre"},"spec":{"beacons":["10.30.1.10","10.30.2.10"]}}""";
        Assert.Equal("configured", (await ApplyAsync("", Manifest)).Manifests.Single().Result);
        Assert.Equal("unchanged", (await ApplyAsync("", Manifest)).Manifests.Single().Result);
        Assert.Equal(["10.30.1.10", "10.30.2.10"], (await GetAsync<ClusterResource>("clusters/centre")).Spec.Beacons);
        Assert.Equal("10.30.1.10/32,10.30.2.10/32", string.Join(",", (await _service.FactsAsync(Cancel)).Clusters.Single(c => c.Name == "centre").Beacons));
        Assert.All((await GetAsync<GatewayExplanation>("gateways/aurora/gw1/explanation")).Wanted.Devices.SelectMany(d => d.Peers).Where(p => p.Cluster == "centre"), p => Assert.Equal(2, p.Beacons.Count));
        var problem = await RefusedAsync(HttpStatusCode.UnprocessableEntity, "", Manifest.Replace("10.30.2.10", "fd00::1", StringComparison.Ordinal));
        Assert.Contains("not an IPv4 address", Assert.Single(problem.Errors!["/manifests/0/spec/beacons/1"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_or_nothing_is_applied()
    {
        await RefusedAsync(HttpStatusCode.NotFound, "", HubAndSpoke, Cluster("centre", "hub"), Cluster("nobody", "hub"));
        Assert.Equal("full-mesh", (await GetAsync<TopologyResource>("topology")).Spec.Type);
        Assert.Equal("invalid", (await RefusedAsync(HttpStatusCode.UnprocessableEntity, "", HubAndSpoke, HubAndSpoke)).Code);
    }

    [Fact]
    public async Task Relays_are_for_those_that_have_tunnels_to_each_other()
    {
        await ApplyAsync("", HubAndSpoke, Cluster("centre", "hub"));
        var facts = await _service.FactsAsync(Cancel);
        Assert.Equal(TopologyKind.HubAndSpoke, facts.Settings.Topology!.Kind);
        Assert.All(facts.Clusters.SelectMany(c => c.Gateways), g => Assert.Empty(g.Relays));
    }

    static string Cluster(string name, string role) => $$$"""{"apiVersion":"meshfabric.io/v1","kind":"Cluster","metadata":{"name":"{{{name}}}","labels":{"role":"{{{role}}}"} } }""";

    async Task<IReadOnlyList<int>> OrdinalsAsync(string cluster) => (await GetAsync<Page<GatewayResource>>($"gateways?cluster={cluster}")).Items.Select(g => g.Spec.Ordinal).Order().ToList();

    async Task<IReadOnlyList<string>> EventsAsync() => (await GetAsync<Page<EventResource>>("events?limit=100")).Items.Select(e => e.Type).ToList();

    async Task<T> GetAsync<T>(string path) => (await _service.Admin.GetFromJsonAsync<T>($"/api/v1/{path}", MeshJson.Options, Cancel))!;

    async Task<ApplyResult> ApplyAsync(string query, params string[] manifests)
    {
        var answer = await PostAsync(query, manifests);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, await answer.Content.ReadAsStringAsync(Cancel));
        return (await answer.Content.ReadFromJsonAsync<ApplyResult>(MeshJson.Options, Cancel))!;
    }

    async Task<Problem> RefusedAsync(HttpStatusCode status, string query, params string[] manifests)
    {
        var answer = await PostAsync(query, manifests);
        Assert.Equal(status, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<Problem>(MeshJson.Lenient, Cancel))!;
    }

    Task<HttpResponseMessage> PostAsync(string query, string[] manifests) => _service.Admin.PostAsync($"/api/v1/manifests/apply{query}",
        new StringContent(new JsonObject { ["manifests"] = new JsonArray([.. manifests.Select(m => JsonNode.Parse(m))]) }.ToJsonString(), Encoding.UTF8, "application/json"), Cancel);

    Task<HttpResponseMessage> PatchAsync(string cluster, string json) => _service.Admin.PatchAsync($"/api/v1/clusters/{cluster}", new StringContent(json, Encoding.UTF8, "application/json"), Cancel);
}
