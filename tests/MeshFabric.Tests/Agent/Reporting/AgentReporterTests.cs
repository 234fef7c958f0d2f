using MeshFabric.Agent.Facts;
using MeshFabric.Agent.Messaging;
using MeshFabric.Agent.Reporting;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Planning;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace MeshFabric.Tests.Agent.Reporting;

public sealed class AgentReporterTests
{
    sealed class RecordingLink : IControlLink
    {
        public bool IsConnected { get; set; } = true;
        public bool Refuses { get; set; }
        public List<object> Sent { get; } = [];

        public Task<bool> SendAsync<T>(T message, CancellationToken cancellationToken)
            where T : class
        {
            if (!Refuses)
            {
                Sent.Add(message);
            }

            return Task.FromResult(!Refuses);
        }
    }

    static readonly GatewayConfig Config = GatewayConfig.None(7, "aurora", "gw1");
    readonly FakeTimeProvider _time = new();
    readonly RecordingLink _link = new();
    readonly AgentReporter _reporter;

    public AgentReporterTests() =>
        _reporter = new AgentReporter(_link, new FactsKeeper(new AgentStateDirectory("unused"), NullLogger<FactsKeeper>.Instance), new DeviceKeys(new AgentStateDirectory("unused")), new MeshSecrets(new AgentStateDirectory("unused"), new DeviceKeys(new AgentStateDirectory("unused")), NullLogger<MeshSecrets>.Instance), new TunnelWatch(_time), _time);

    [Fact]
    public async Task Without_a_broker_nothing_is_sent_and_nothing_forgotten()
    {
        _link.IsConnected = false;
        await TurnAsync();
        Assert.Empty(_link.Sent);
        _link.IsConnected = true;
        await TurnAsync();
        Assert.Single(_link.Sent.OfType<GatewayReported>());
    }

    [Fact]
    public async Task Heartbeats_and_reports_say_what_the_agent_knows()
    {
        await TurnAsync();
        Assert.All(_link.Sent.OfType<AgentHeartbeat>(), b => Assert.Equal(AgentCapabilities.Own, b.Capabilities));
        Assert.Equal(AgentCapabilities.Own, Assert.Single(_link.Sent.OfType<GatewayReported>()).Capabilities);
    }

    [Fact]
    public async Task Quiet_turns_send_only_a_heartbeat_every_15_seconds_and_a_report_every_minute()
    {
        await TurnAsync();
        _link.Sent.Clear();
        for (var second = 0; second < 120; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await TurnAsync();
        }

        Assert.Equal(2, _link.Sent.OfType<GatewayReported>().Count());
        Assert.InRange(_link.Sent.OfType<AgentHeartbeat>().Count(), 8, 10);
    }

    [Fact]
    public async Task A_report_that_could_not_be_sent_is_sent_with_the_next_turn()
    {
        _link.Refuses = true;
        await TurnAsync();
        _link.Refuses = false;
        await TurnAsync();
        Assert.Single(_link.Sent.OfType<GatewayReported>());
        _link.Sent.Clear();
        await TurnAsync();
        Assert.Empty(_link.Sent);
    }

    [Fact]
    public async Task A_change_is_reported_at_once()
    {
        await TurnAsync();
        _link.Sent.Clear();
        _reporter.ReportSoon();
        await TurnAsync();
        Assert.Single(_link.Sent.OfType<GatewayReported>());
    }

    [Fact]
    public async Task After_a_reconnect_everything_is_said_again()
    {
        await TurnAsync();
        _link.Sent.Clear();
        _reporter.Repeat();
        await TurnAsync();
        Assert.Single(_link.Sent.OfType<GatewayReported>());
        Assert.NotEmpty(_link.Sent.OfType<AgentHeartbeat>());
    }

    Task TurnAsync() => _reporter.ReportAsync(Config, 7, "userspace", _ => Task.FromResult(new GatewayActual([], [], true)), TestContext.Current.CancellationToken);
}
