using MeshFabric.Agent.Reconciling;
using MeshFabric.Net;
using Microsoft.Extensions.Time.Testing;

namespace MeshFabric.Tests.Agent.Reconciling;

public sealed class LeafSourcesTests
{
    static readonly Cidr First = Cidr.Parse("10.10.1.0/24"), Second = Cidr.Parse("10.10.2.0/24");

    [Fact]
    public void What_a_leaf_begins_with_is_sent_at_once_and_what_comes_later_once_others_know_it()
    {
        var time = new FakeTimeProvider();
        var sources = new LeafSources(time);
        Assert.Null(sources.Settled(null));
        Assert.Equal([First], sources.Settled([First]));
        Assert.Equal([First], sources.Settled([First, Second]));
        time.Advance(LeafSources.Wait);
        Assert.Equal([First, Second], sources.Settled([First, Second]));

        // Gone and back: known no longer.
        Assert.Equal([First], sources.Settled([First]));
        Assert.Equal([First], sources.Settled([First, Second]));
    }
}
