using MeshFabric.Agent.Probing;

namespace MeshFabric.Tests.Agent.Probing;

public sealed class AgentEchoTests
{
    [Theory]
    [InlineData(true, EchoVerdict.Yes)]
    [InlineData(false, EchoVerdict.No)]
    public void An_agent_s_answer_says_whether_its_gateway_carries(bool carries, EchoVerdict verdict) => Assert.Equal(verdict, AgentEcho.Judge(AgentEcho.Answer(carries)));

    [Fact]
    public void The_kernel_s_answer_which_repeats_the_question_says_nothing()
    {
        Assert.True(AgentEcho.IsRequest(AgentEcho.Request()));
        Assert.Equal(EchoVerdict.Ignored, AgentEcho.Judge(AgentEcho.Request()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("6d662d736179")]
    [InlineData("6d662d7361792d3101000000000000000000")]
    public void Payloads_of_others_are_neither(string hex)
    {
        var payload = Convert.FromHexString(hex);
        Assert.False(AgentEcho.IsRequest(payload));
        Assert.Equal(EchoVerdict.Ignored, AgentEcho.Judge(payload));
    }

    [Fact]
    public void An_agent_does_not_answer_an_answer() => Assert.False(AgentEcho.IsRequest(AgentEcho.Answer(true)));
}
