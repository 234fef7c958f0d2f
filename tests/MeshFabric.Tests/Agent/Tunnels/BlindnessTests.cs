using MeshFabric.Agent.Probing;
using MeshFabric.Agent.Tunnels;

namespace MeshFabric.Tests.Agent.Tunnels;

public sealed class BlindnessTests
{
    [Theory]
    [InlineData("alive alive", "")]
    [InlineData("dead alive", "0")]
    [InlineData("never alive dead", "0 2")]
    // Nobody answers: a beacon that is gone, or the way back, is nobody's fault.
    [InlineData("dead dead", "")]
    [InlineData("dead never", "")]
    [InlineData("dead", "")]
    // Who has just lost one itself is no witness.
    [InlineData("dead doubtful", "")]
    [InlineData("doubtful alive", "")]
    // A tunnel that is not connected is left anyhow, and says nothing of others.
    [InlineData("off:dead alive", "")]
    [InlineData("dead off:alive", "")]
    [InlineData("new alive", "")]
    public void A_gateway_is_blind_only_where_another_one_sees(string gateways, string blind)
    {
        var judged = Blindness.Of(gateways.Split(' ').Select(g => (!g.StartsWith("off:", StringComparison.Ordinal), Path(g.Split(':')[^1]))).ToList());
        Assert.Equal(blind, string.Join(' ', judged.Select((isBlind, i) => isBlind ? $"{i}" : "").Where(t => t.Length > 0)));
    }

    [Fact]
    public void It_sees_again_after_some_answers_in_a_row()
    {
        var (own, other) = (Path("dead"), Path("alive"));
        for (var i = 0; i < PathLiveness.AliveAfter; i++)
        {
            Assert.True(Blindness.Of([(true, own), (true, other)])[0], $"after {i} answers");
            own.Answered(TimeSpan.FromMilliseconds(1));
        }

        Assert.False(Blindness.Of([(true, own), (true, other)])[0]);
    }

    static PathLiveness Path(string state)
    {
        var path = new PathLiveness();
        if (state is "alive" or "dead" or "doubtful")
        {
            path.Answered(TimeSpan.FromMilliseconds(1));
        }

        for (var i = 0; i < (state switch { "dead" or "never" => PathLiveness.DeadAfter, "doubtful" => 1, _ => 0 }); i++)
        {
            path.Lost();
        }

        return path;
    }
}
