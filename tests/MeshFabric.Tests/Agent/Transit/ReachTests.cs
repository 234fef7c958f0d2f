using CsCheck;
using MeshFabric.Agent.Transit;

namespace MeshFabric.Tests.Agent.Transit;

public sealed class ReachTests
{
    static readonly DateTimeOffset Now = new(2027, 1, 31, 12, 0, 0, TimeSpan.Zero);
    static readonly (string, string) Hub = ("centre", "gw1");

    [Fact]
    public void An_answer_of_any_size_is_read_as_it_was_meant_in_parts_that_fit() => Gen.ULong.Array[0, 500].Sample(unreached =>
    {
        var parts = ReachPacket.Answer(7, unreached).ToList();
        Assert.All(parts, p => Assert.InRange(p.Length, 16, 1136));
        var read = parts.Select(p => ReachPacket.Read(p)!).ToList();
        Assert.All(read, p => Assert.Equal((7u, parts.Count), (p.Number, p.Parts)));
        Assert.Equal(unreached, read.SelectMany(p => p.Unreached));
    });

    [Fact]
    public void The_kernel_s_answer_which_repeats_the_question_is_none()
    {
        Assert.True(ReachPacket.IsRequest(ReachPacket.Request()));
        Assert.Null(ReachPacket.Read(ReachPacket.Request()));
        Assert.False(ReachPacket.IsRequest(ReachPacket.Answer(1, []).Single()));
    }

    [Fact]
    public void What_is_no_answer_is_not_read() => Gen.Byte.Array[0, 64].Sample(bytes => Assert.Null(ReachPacket.Read(bytes)));

    [Theory]
    [InlineData("")]
    [InlineData("6d662d6e6f742d31")]
    [InlineData("6d662d6e6f742d310000000100010001")]
    [InlineData("6d662d6e6f742d31000000010000000100")]
    public void Broken_answers_are_none(string hex) => Assert.Null(ReachPacket.Read(Convert.FromHexString(hex)));

    [Fact]
    public void Who_has_said_nothing_is_not_trusted_to_reach_anybody()
    {
        var table = new ReachTable();
        Assert.False(table.Reaches(Hub, ReachPacket.Of("west"), Now));
        Assert.True(Take(table, 1, []));
        Assert.True(table.Reaches(Hub, ReachPacket.Of("west"), Now));
        Assert.False(table.Reaches(("centre", "gw2"), ReachPacket.Of("west"), Now));
    }

    [Fact]
    public void A_change_is_told_of_once()
    {
        var table = new ReachTable();
        Assert.True(Take(table, 1, []));
        Assert.False(Take(table, 1, []));
        Assert.True(Take(table, 2, ["west"]));
        Assert.False(table.Reaches(Hub, ReachPacket.Of("west"), Now));
        Assert.True(table.Reaches(Hub, ReachPacket.Of("east"), Now));
        Assert.False(Take(table, 2, ["west"]));
        Assert.True(Take(table, 3, []));
        Assert.True(table.Reaches(Hub, ReachPacket.Of("west"), Now));
    }

    [Fact]
    public void An_answer_counts_when_all_of_its_parts_have_come_in_whatever_order()
    {
        var table = new ReachTable();
        Take(table, 1, []);
        var names = Enumerable.Range(0, 300).Select(i => $"c{i}").ToArray();
        var parts = ReachPacket.Answer(2, names.Select(ReachPacket.Of).ToList()).Select(p => ReachPacket.Read(p)!).Reverse().ToList();
        Assert.Equal(3, parts.Count);
        Assert.False(table.Take(Hub, parts[0], Now));
        Assert.False(table.Take(Hub, parts[0], Now));
        // A newer one that overtakes it, and of which a part is lost: nothing of either counts.
        Assert.False(table.Take(Hub, parts[1] with { Number = 3 }, Now));
        Assert.True(table.Reaches(Hub, ReachPacket.Of("c0"), Now));
        Assert.False(table.Take(Hub, parts[2], Now));
        Assert.False(table.Take(Hub, parts[0], Now));
        Assert.True(table.Take(Hub, parts[1], Now));
        Assert.All(names, n => Assert.False(table.Reaches(Hub, ReachPacket.Of(n), Now)));
    }

    [Fact]
    public void What_was_said_long_ago_or_before_the_tunnel_died_says_nothing()
    {
        var table = new ReachTable();
        Take(table, 1, []);
        Assert.True(table.Reaches(Hub, ReachPacket.Of("west"), Now + ReachTable.Lifetime));
        Assert.False(table.Reaches(Hub, ReachPacket.Of("west"), Now + ReachTable.Lifetime + TimeSpan.FromSeconds(1)));
        table.Forget(Hub);
        Assert.False(table.Reaches(Hub, ReachPacket.Of("west"), Now));
        Take(table, 1, []);
        table.Keep(new HashSet<(string, string)> { ("other", "gw1") });
        Assert.False(table.IsKnown(Hub, Now));
    }

    static bool Take(ReachTable table, uint number, string[] unreached) => ReachPacket.Answer(number, unreached.Select(ReachPacket.Of).ToList()).Select(p => table.Take(Hub, ReachPacket.Read(p)!, Now)).Last();
}
