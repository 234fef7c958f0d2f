using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;

namespace MeshFabric.Tests.Domain.Topologies;

public sealed class LabelSelectorTests
{
    static readonly ClusterFacts Aurora = new("c-1", "aurora", 1, ClusterKind.Kubernetes, new ClusterLocation("acme", "eu-west", ""), [new Label("team", "blue")], [], [])
    {
        Declared = [new Label("env", "prod"), new Label(LabelSelector.RegionKey, "eu-west"), new Label("role", "hub")],
    };

    [Theory]
    [InlineData("role=hub", true)]
    [InlineData("role==hub", true)]
    [InlineData("role = spoke", false)]
    [InlineData("role!=spoke", true)]
    [InlineData("tier!=spoke", true)]
    [InlineData("role", true)]
    [InlineData("tier", false)]
    [InlineData("!tier", true)]
    [InlineData("!role", false)]
    [InlineData("env in (prod, stage)", true)]
    [InlineData("env notin (prod,stage)", false)]
    [InlineData("role=hub,env in (stage, test)", false)]
    [InlineData("role=hub, env in (stage, prod), !tier", true)]
    [InlineData("meshfabric.io/name=aurora", true)]
    [InlineData("meshfabric.io/region=eu-west", true)]
    // What its agents say, and nobody declared.
    [InlineData("meshfabric.io/provider=acme", false)]
    [InlineData("team=blue", false)]
    public void A_selector_chooses_as_kubectl_would(string text, bool chosen)
    {
        Assert.True(LabelSelector.TryParse(text, out var selector, out _));
        Assert.Equal(chosen, selector.Matches(Aurora));
        // What is shown can be read again.
        Assert.Equal(selector, LabelSelector.Parse(selector.ToString()));
    }

    [Fact]
    public void A_selector_that_is_endless_is_refused() => Assert.False(LabelSelector.TryParse(string.Join(',', Enumerable.Range(0, 200).Select(i => $"label{i}")), out _, out _));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("role=hub,")]
    [InlineData("role=a b")]
    [InlineData("role in prod")]
    [InlineData("role in (prod")]
    [InlineData("=hub")]
    [InlineData("-role")]
    public void What_is_none_is_refused_with_what_is_wrong(string text)
    {
        Assert.False(LabelSelector.TryParse(text, out _, out var error));
        Assert.Contains("label selector", error, StringComparison.Ordinal);
    }
}
