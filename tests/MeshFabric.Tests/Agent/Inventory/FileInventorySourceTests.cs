using MeshFabric.Agent.Inventory;
using MeshFabric.Contracts.Files;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.TestKit;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshFabric.Tests.Agent.Inventory;

public sealed class FileInventorySourceTests : IDisposable
{
    const string Site = """
        apiVersion: meshfabric.io/v1
        kind: ClusterInventory
        metadata: {name: plant, labels: {tier: edge}}
        spec: {kind: site, provider: on-premises, region: north, podCidrs: [10.9.0.0/16]}
        """;

    readonly TemporaryDirectory _folder = new();
    readonly string _file;

    public FileInventorySourceTests() => File.WriteAllText(_file = _folder.File("site.yaml"), Site);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_file_is_the_inventory_and_an_edit_is_another_one()
    {
        using var source = new FileInventorySource(_file, TimeProvider.System, NullLogger<FileInventorySource>.Instance);
        await using var readings = source.WatchAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await readings.MoveNextAsync());
        Assert.Equal(new ClusterInventory(ClusterKind.Site, new ClusterLocation("on-premises", "north", ""), [new Label("tier", "edge")], [Cidr.Parse("10.9.0.0/16")], [], "", []) { Beacons = [] }, readings.Current);

        var next = readings.MoveNextAsync();
        await File.WriteAllTextAsync(_file, "kind: nonsense", TestContext.Current.CancellationToken);
        await Until.TrueAsync(() => source.Failure is not null, TimeSpan.FromSeconds(20), "the bad file is noticed", TestContext.Current.CancellationToken);
        Assert.False(next.IsCompleted);
        await File.WriteAllTextAsync(_file, Site.Replace("10.9.0.0/16", "10.9.0.0/16, 10.8.0.0/16", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        Assert.True(await next);
        Assert.Equal([Cidr.Parse("10.8.0.0/16"), Cidr.Parse("10.9.0.0/16")], readings.Current.PodCidrs);
        Assert.Null(source.Failure);
    }

    [Theory]
    [InlineData("", "must begin with")]
    [InlineData("apiVersion: meshfabric.io/v1\nkind: ClusterInventory\nspec:\n  podCidr: [10.0.0.0/8]\n", "line 4")]
    [InlineData("apiVersion: meshfabric.io/v1\nkind: [", "line")]
    public void A_file_that_is_no_inventory_says_where(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<InventoryFileException>(() => InventoryFile.Parse(text, "site.yaml")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("10.9.1.0/16", "spec.podCidrs[0]")]
    [InlineData("::ffff:10.0.0.0/104", "spec.podCidrs[0]")]
    [InlineData("pods", "spec.podCidrs[0]")]
    public void A_wrong_prefix_is_named_by_its_field(string cidr, string expected)
    {
        var file = InventoryFile.Parse(Site.Replace("10.9.0.0/16", $"'{cidr}'", StringComparison.Ordinal), "site.yaml");
        Assert.Contains(expected, Assert.Throws<InventoryFileException>(() => InventoryText.ToInventory(file.Inventory, "site.yaml")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_inventory_survives_the_way_to_the_control_service()
    {
        var inventory = new ClusterInventory(ClusterKind.Kubernetes, new ClusterLocation("aws", "eu-north-1", "eu-north-1a"), [new Label("env", "prod")], [Cidr.Parse("10.1.0.0/16"), Cidr.Parse("fd00:1::/48")],
            [Cidr.Parse("10.96.0.0/12")], "v1.34.1", []);
        Assert.Equal(inventory, InventoryText.ToInventory(InventoryDocument.Of(inventory), "it"));
    }

    [Fact]
    public async Task A_source_that_cannot_be_read_says_why_before_a_token_is_used()
    {
        using var source = new FileInventorySource(_folder.File("missing.yaml"), TimeProvider.System, NullLogger<FileInventorySource>.Instance);
        var e = await Assert.ThrowsAsync<InventoryFileException>(() => FirstReading.OfAsync(source, "missing.yaml", TestContext.Current.CancellationToken));
        Assert.Contains("Could not find file", e.Message, StringComparison.Ordinal);
    }
}
