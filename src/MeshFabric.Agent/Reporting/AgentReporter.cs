using MeshFabric.Agent.Facts;
using MeshFabric.Agent.Messaging;
using MeshFabric.Agent.State;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Planning;
using MeshFabric.ServiceDefaults;

namespace MeshFabric.Agent.Reporting;

/// <summary>Says when to report: a heartbeat every 15 s; everything when the plan changed, after a reconnect and every minute; what changed at once.</summary>
public sealed class AgentReporter(IControlLink link, FactsKeeper facts, DeviceKeys keys, MeshSecrets secrets, TunnelWatch tunnels, TimeProvider time)
{
    static readonly TimeSpan HeartbeatPeriod = TimeSpan.FromSeconds(15);
    static readonly TimeSpan CompletePeriod = TimeSpan.FromSeconds(60);

    volatile bool _due = true;
    volatile bool _repeat;
    volatile bool _beat;
    readonly string _session = Guid.NewGuid().ToString("n");
    long _number;
    DateTimeOffset _lastHeartbeat;
    DateTimeOffset _lastComplete;

    /// <summary>Something changed: report with the next turn.</summary>
    public void ReportSoon() => _due = true;

    /// <summary>Send a heartbeat with the next turn.</summary>
    public void BeatSoon() => _beat = true;

    /// <summary>Report everything with the next turn, whatever was sent before. From any thread.</summary>
    public void Repeat() => _repeat = true;

    /// <param name="config">Null before the first facts.</param>
    /// <param name="appliedRevision">Of the config that the host was last made to match.</param>
    /// <param name="readHost">Reads back what the host has.</param>
    public async Task ReportAsync(GatewayConfig? config, long appliedRevision, string backend, Func<GatewayConfig, Task<GatewayActual>> readHost, CancellationToken cancellationToken)
    {
        if (_repeat)
        {
            _repeat = false;
            _due = true;
            _lastHeartbeat = _lastComplete = default;
        }

        if (!link.IsConnected)
        {
            return;
        }

        var now = time.GetUtcNow();
        if (_beat || now - _lastHeartbeat >= HeartbeatPeriod)
        {
            _beat = false;
            await BeatAsync(appliedRevision, now, cancellationToken);
        }

        if (config is null || (!_due && now - _lastComplete < CompletePeriod))
        {
            return;
        }

        _due = false;
        var sent = false;
        try
        {
            sent = await link.SendAsync(
                new GatewayReported(ProductVersion.Current, backend, facts.Revision, appliedRevision, true, tunnels.Report(config), config.Findings, await readHost(config)) { Session = _session, Number = ++_number, Capabilities = AgentCapabilities.Own },
                cancellationToken);
        }
        finally
        {
            // Also when the host could not be read: the next one tells.
            if (!sent)
            {
                _due = true;
            }
        }

        if (sent)
        {
            _lastComplete = now;
            await BeatAsync(appliedRevision, now, cancellationToken);
        }
    }

    async Task BeatAsync(long appliedRevision, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (await link.SendAsync(new AgentHeartbeat(ProductVersion.Current, facts.Revision, appliedRevision, tunnels.Connected, tunnels.Wanted) { KeyEpoch = secrets.Newest, Key = keys.Used?.ToString(), NextKey = keys.Offered?.ToString(), Capabilities = AgentCapabilities.Own }, cancellationToken))
        {
            _lastHeartbeat = now;
        }
    }
}
