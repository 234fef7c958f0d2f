using System.Net;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Control;

/// <summary>Aurora has nodes n1 to n3 with a /24 each; gw1 is on n1.</summary>
public sealed class LeafTests(PostgresServer postgres) : IAsyncLifetime
{
    ControlService _service = null!;
    string _token = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        await _service.Admin.PostAsJsonAsync("/api/v1/clusters", new CreateCluster("aurora", null, new CreateClusterSpec("kubernetes", null, null, null, ["10.10.0.0/16"], [])), MeshJson.Options, Cancel);
        await _service.Admin.PostAsJsonAsync("/api/v1/clusters", new CreateCluster("lab", null, new CreateClusterSpec("site", null, null, null, ["10.20.0.0/16"], [])), MeshJson.Options, Cancel);
        _token = await _service.JoinTokenAsync("aurora", 8, Cancel);
        await EnrolledAsync("gw1", "n1", leaf: false);
        await ReportNodesAsync("n1", "n2", "n3");
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Leaves_are_let_in_where_the_granularity_is_node_and_are_sent_the_pods_of_their_own_node()
    {
        Assert.Equal((HttpStatusCode.Conflict, "leaves-not-wanted"), await RefusedAsync("node-n2", "n2", leaf: true));
        Assert.Empty((await FactsAsync()).Gateways.Single().Pods);

        var changed = await ReadAsync(await SetAsync("node"));
        Assert.Equal(Granularity.Node, changed.Spec.Granularity);
        // Said twice it is the same.
        Assert.Equal(changed.Status.FactsRevision, (await ReadAsync(await SetAsync("node"))).Status.FactsRevision);
        await EnrolledAsync("node-n2", "n2", leaf: true);
        await EnrolledAsync("node-n3", "n3", leaf: true);
        var facts = await FactsAsync();
        Assert.Equal(["gw1 0 10.10.1.0/24", "node-n2 8 10.10.2.0/24", "node-n3 8 10.10.3.0/24"], facts.Gateways.Select(g => $"{g.Name} {g.Ordinal} {string.Join(",", g.Pods)}"));
        var cluster = await _service.Admin.GetFromJsonAsync<ClusterResource>("/api/v1/clusters/aurora", MeshJson.Options, Cancel);
        Assert.Equal((1, 2), (cluster!.Status.Gateways, cluster.Status.Leaves));
        var leaf = await _service.Admin.GetFromJsonAsync<GatewayResource>("/api/v1/gateways/aurora/node-n2", MeshJson.Options, Cancel);
        Assert.Equal(("n2", true, "[10.10.2.0/24]"), (leaf!.Spec.Node, leaf.Spec.IsLeaf, leaf.Spec.Pods.ToString()));

        // What another node has a part of goes by the gateways, and the part to its node.
        await ReportNodesAsync("n1", "n2:10.10.2.0/24+10.10.4.0/24", "n3:10.10.2.7/32+10.10.4.0/24+10.10.3.0/24");
        Assert.Equal(["", "10.10.2.7/32,10.10.3.0/24"], (await FactsAsync()).Gateways.Where(g => g.IsLeaf).Select(g => string.Join(",", g.Pods.OrderBy(p => p))));
        Assert.Equal((HttpStatusCode.Conflict, "node-unknown"), await RefusedAsync("node-n9", "n9", leaf: true));

        // Pods that are no part of the cluster's prefixes are nobody's.
        await ReportNodesAsync("n1", "n2", "n3:10.10.3.0/24+192.168.0.0/24");
        Assert.Equal(["10.10.3.0/24"], (await FactsAsync()).Gateways[2].Pods.Select(p => p.ToString()));
    }

    [Fact]
    public async Task A_leaf_goes_with_its_node_and_when_its_node_becomes_a_gateway()
    {
        await SetAsync("node");
        await EnrolledAsync("node-n2", "n2", leaf: true);
        await EnrolledAsync("node-n3", "n3", leaf: true);
        var gone = (await FactsAsync()).Gateways.Single(g => g.Name == "node-n3").Id;

        await ReportNodesAsync("n1", "n2");
        await Until.TrueAsync(async () => (await FactsAsync()).Gateways.Select(g => g.Name).SequenceEqual(["gw1", "node-n2"]), TimeSpan.FromSeconds(30), "the leaf to be removed whose node is gone", Cancel);
        await Until.TrueAsync(() => !_service.Broker.Identities.ContainsKey(gone), TimeSpan.FromSeconds(30), "the identity of a leaf that is gone to be revoked", Cancel);

        await EnrolledAsync("gw2", "n2", leaf: false);
        Assert.Equal(["gw1", "gw2"], (await FactsAsync()).Gateways.Select(g => g.Name));
        Assert.Equal(2L, await PostgresServer.QueryAsync(_service.Database, "SELECT count(*) FROM events WHERE type = 'leaf-removed'", Cancel));
    }

    [Fact]
    public async Task Back_at_gateways_nobody_sends_to_leaves_and_they_are_removed_once_they_are_not_heard_of()
    {
        await SetAsync("node");
        await EnrolledAsync("node-n2", "n2", leaf: true);
        await EnrolledAsync("node-n3", "n3", leaf: true);
        await SetAsync("gateway");
        var facts = await FactsAsync();
        Assert.Empty(facts.Gateways[0].Pods);
        // What they still send is taken.
        Assert.All(facts.Gateways.Skip(1), g => Assert.NotEmpty(g.Pods));
        Assert.Equal(2, facts.Gateways.Count(g => g.IsLeaf));

        // As if it had been silent for a minute.
        await PostgresServer.QueryAsync(_service.Database, "UPDATE gateways SET last_seen = now() - interval '1 minute' WHERE name = 'node-n2' RETURNING 1", Cancel);
        await Until.TrueAsync(async () => (await FactsAsync()).Gateways.Select(g => g.Name).SequenceEqual(["gw1", "node-n3"]), TimeSpan.FromSeconds(40), "the silent leaf to be removed, and no other one", Cancel);
    }

    [Fact]
    public async Task What_cannot_be_is_refused()
    {
        var site = await SetAsync("node", "lab");
        Assert.Equal((HttpStatusCode.Conflict, "cluster-without-nodes"), (site.StatusCode, (await ProblemAsync(site)).Code));
        var wrong = await SetAsync("pod");
        Assert.Contains("/spec/granularity", (await ProblemAsync(wrong)).Errors!.Keys);
        await SetAsync("node");
        var nameless = await EnrolAsync("node-n2", null, leaf: true);
        Assert.Contains("/node", (await ProblemAsync(nameless)).Errors!.Keys);
    }

    [Fact]
    public async Task A_manifest_declares_the_granularity()
    {
        var manifest = new { manifests = new[] { new { apiVersion = "meshfabric.io/v1", kind = "Cluster", metadata = new { name = "aurora" }, spec = new { granularity = "node" } } } };
        foreach (var result in new[] { "configured", "unchanged" })
        {
            var answer = await _service.Admin.PostAsJsonAsync("/api/v1/manifests/apply", manifest, Cancel);
            Assert.Equal(result, (await answer.Content.ReadFromJsonAsync<ApplyResult>(MeshJson.Options, Cancel))!.Manifests.Single().Result);
        }

        Assert.Equal(Granularity.Node, (await FactsAsync()).Granularity);
    }

    async Task EnrolledAsync(string gateway, string node, bool leaf)
    {
        var answer = await EnrolAsync(gateway, node, leaf);
        Assert.True(answer.StatusCode == HttpStatusCode.Created, await answer.Content.ReadAsStringAsync(Cancel));
    }

    async Task<(HttpStatusCode, string)> RefusedAsync(string gateway, string node, bool leaf)
    {
        var answer = await EnrolAsync(gateway, node, leaf);
        return (answer.StatusCode, (await ProblemAsync(answer)).Code);
    }

    Task<HttpResponseMessage> EnrolAsync(string gateway, string? node, bool leaf) => _service.EnrolAsync(_token, "aurora", gateway, null, Cancel, node: node, leaf: leaf);

    /// <param name="nodes">nK has 10.10.K.0/24; or NAME:CIDR+CIDR.</param>
    async Task ReportNodesAsync(params string[] nodes)
    {
        var inventory = new ClusterInventory(ClusterKind.Kubernetes, ClusterLocation.Unknown, [], [Cidr.Parse("10.10.0.0/16")], [], "v1.33.1", nodes.Select(Node).ToValueList());
        await _service.Inbox.OnInventoryReportedAsync((await FactsAsync()).Gateways[0].Id, new InventoryReported(inventory), Cancel);

        static NodeInventory Node(string text)
        {
            var (name, cidrs) = text.Split(':') is [var n, var c] ? (n, c.Split('+')) : (text, [$"10.10.{text[1..]}.0/24"]);
            return new NodeInventory(name, true, ["192.0.2.1"], cidrs.Select(Cidr.Parse).ToValueList(), "", "v1.33.1");
        }
    }

    Task<HttpResponseMessage> SetAsync(string granularity, string cluster = "aurora") =>
        _service.Admin.PatchAsync($"/api/v1/clusters/{cluster}", JsonContent.Create(new { spec = new { granularity } }), Cancel);

    async Task<ClusterFacts> FactsAsync() => (await _service.FactsAsync(Cancel)).Clusters.Single(c => c.Name == "aurora");

    static async Task<ClusterResource> ReadAsync(HttpResponseMessage answer)
    {
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancel));
        return (await answer.Content.ReadFromJsonAsync<ClusterResource>(MeshJson.Options, Cancel))!;
    }

    static async Task<Problem> ProblemAsync(HttpResponseMessage answer) => (await answer.Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!;
}
