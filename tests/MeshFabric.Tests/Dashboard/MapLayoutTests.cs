using MeshFabric.Contracts.Http;
using MeshFabric.Dashboard.Map;
using MeshFabric.Dashboard.Parts;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Tests.Dashboard;

public sealed class MapLayoutTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(90)]
    [InlineData(91)]
    [InlineData(300)]
    public void Every_cluster_has_a_place_of_its_own_on_the_map_wherever_it_is_in_the_list(int count)
    {
        var clusters = Enumerable.Range(0, count).Select(Cluster).ToList();
        var layout = MapLayout.Of(clusters);

        Assert.Equal(count, layout.Places.Select(p => p.Cluster.Metadata.Name).Distinct().Count());
        Assert.All(layout.Places, p => Assert.True(p.X is >= 0 and <= MapLayout.Width && p.Y is >= 0 and <= MapLayout.Height, $"{p.X}, {p.Y}"));
        var nearest = count == 1 ? double.MaxValue : layout.Places.SelectMany((a, i) => layout.Places.Skip(i + 1).Select(b => Math.Sqrt(Math.Pow(a.X - b.X, 2) + Math.Pow(a.Y - b.Y, 2)))).Min();
        Assert.True(nearest > 2 * layout.Radius, $"{nearest} apart, {layout.Radius} wide");
        if (layout.HasCards)
        {
            Assert.All(layout.Places.SelectMany((a, i) => layout.Places.Skip(i + 1).Select(b => (a, b))), p => Assert.True(Math.Abs(p.a.X - p.b.X) >= MapLayout.CardWidth || Math.Abs(p.a.Y - p.b.Y) >= MapLayout.CardHeight, $"cards of {p.a.Cluster.Metadata.Name} and {p.b.Cluster.Metadata.Name} overlap"));
        }

        Assert.Equal(layout.Places.Select(p => (p.Cluster.Metadata.Name, p.X, p.Y)), MapLayout.Of(clusters.AsEnumerable().Reverse()).Places.Select(p => (p.Cluster.Metadata.Name, p.X, p.Y)));
        Assert.All(layout.Groups, g => Assert.True(g.X is >= 0 and <= MapLayout.Width && g.Y is >= 0 and <= MapLayout.Height, $"{g.Provider} {g.Region} at {g.X}, {g.Y}"));
    }

    [Fact]
    public void Clusters_of_a_region_stand_together_and_those_of_a_provider()
    {
        var places = MapLayout.Of(Enumerable.Range(0, 60).Select(Cluster)).Places;
        Assert.Equal(12, Runs(places.Select(p => p.Cluster.Spec.Region)));
        Assert.Equal(4, Runs(places.Select(p => p.Cluster.Spec.Provider)));
    }

    [Theory]
    [InlineData("10.0.0.0/8", "10.0.0.0/8", 0, 1)]
    [InlineData("10.128.0.0/16", "10.0.0.0/8", 0.5, 1.0 / 256)]
    [InlineData("100.64.0.0/10", "100.0.0.0/8", 0.25, 0.25)]
    [InlineData("fd10:8000::/32", "fd10::/16", 0.5, 1.0 / 65536)]
    public void A_prefix_lies_where_its_addresses_do(string prefix, string row, double start, double share)
    {
        var block = new AddressBlock(new PrefixResource("aurora", "cluster", Cidr.Parse(prefix), Cidr.Parse(prefix), false));
        Assert.Equal((row, start, share), (block.Row, block.Start, block.Share));
    }

    static int Runs(IEnumerable<string> texts) => texts.Aggregate((Count: 0, Last: ""), (r, t) => t == r.Last ? r : (r.Count + 1, t)).Count;

    static ClusterResource Cluster(int i) => new(
        new Metadata($"cluster-{i:000}", $"c-{i}", "1", DateTimeOffset.UnixEpoch, new Dictionary<string, string>()),
        new ClusterSpec(ClusterKind.Site, $"provider-{i % 4}", $"region-{i % 12}", "", [], []),
        new ClusterStatus("connected", 1, [], 1, 1, 0, 0, "", [], [], []));
}
