using System.Diagnostics.Metrics;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Domain.Tunnels;
using MeshFabric.ServiceDefaults;

namespace MeshFabric.Agent.Local;

/// <summary>Figures of this agent and each of its tunnels for Prometheus. Names are part of the interface: see docs/metrics.md.</summary>
public sealed class AgentMetrics
{
    public const string MeterName = "MeshFabric.Agent";

    public AgentMetrics(IMeterFactory meters, AgentView view, GatewayRole gateway, INodeTraffic traffic)
    {
        var meter = meters.Create(MeterName);
        meter.CreateObservableGauge("meshfabric_build_info", () => new Measurement<int>(1, Tag("version", ProductVersion.Current)), description: "1; the version is a label");
        meter.CreateObservableGauge("meshfabric_wireguard_info", () => view.Status.Backend is { Length: > 0 } backend ? [new Measurement<int>(1, Tag("implementation", backend))] : Array.Empty<Measurement<int>>(), description: "1; kernel or userspace is a label");
        meter.CreateObservableGauge("meshfabric_agent_control_connected", () => gateway.ControlConnected ? 1 : 0, description: "1 while the broker accepts this agent");
        meter.CreateObservableGauge("meshfabric_agent_desired_revision", () => view.Status.FactsRevision, description: "Revision of the facts this agent holds");
        meter.CreateObservableGauge("meshfabric_agent_applied_revision", () => view.Status.AppliedRevision, description: "Revision that the host was last made to match");
        meter.CreateObservableCounter("meshfabric_agent_reconciles_total", () => new[]
        {
            new Measurement<long>(view.Turns - view.FailedTurns, Tag("result", "ok")),
            new Measurement<long>(view.FailedTurns, Tag("result", "failed")),
        }, description: "Turns of the reconciling loop");
        meter.CreateObservableGauge("meshfabric_agent_reconcile_duration_seconds", () => view.LastTurn.TotalSeconds, description: "Duration of the last good turn");
        meter.CreateObservableGauge("meshfabric_tunnel_mtu_bytes", () => view.Status.Mtu, description: "MTU of the tunnel devices");
        meter.CreateObservableGauge("meshfabric_tunnel_state", () => view.Status.Tunnels.SelectMany(t => Enum.GetValues<TunnelState>().Select(s =>
            new Measurement<int>(t.State == s ? 1 : 0, [.. Tags(view, t), Tag("state", s.ToString().ToLowerInvariant())]))), description: "1 for the state that the tunnel is in");
        meter.CreateObservableGauge("meshfabric_tunnel_path_mtu_bytes", () => Each(view, t => t.MtuBytes), description: "Largest packet that was found to pass");
        meter.CreateObservableGauge("meshfabric_tunnel_inside_reached", () => Measured(view, t => t.ReachesInside is { } reaches ? reaches ? 1 : 0 : null), description: "1 while what is behind the far gateway answers through it");
        meter.CreateObservableGauge("meshfabric_tunnel_relayed", () => Each(view, t => t.Relay is null ? 0 : 1), description: "1 while a third gateway hands the tunnel's packets on");
        meter.CreateObservableCounter("meshfabric_tunnel_receive_bytes_total", () => Each(view, t => (long)t.ReceivedBytes), description: "Bytes that came through the tunnel");
        meter.CreateObservableCounter("meshfabric_tunnel_transmit_bytes_total", () => Each(view, t => (long)t.SentBytes), description: "Bytes that went through the tunnel");
        meter.CreateObservableGauge("meshfabric_tunnel_last_handshake_timestamp_seconds", () => Each(view, t => t.LastHandshake?.ToUnixTimeSeconds() ?? 0), description: "Unix time of the last handshake; 0 is never");
        meter.CreateObservableGauge("meshfabric_tunnel_rtt_seconds", () => Measured(view, t => t.RoundTripSeconds), description: "Round trip of the last answered probe");
        meter.CreateObservableGauge("meshfabric_tunnel_jitter_seconds", () => Measured(view, t => t.JitterSeconds), description: "Mean difference of round trips that follow each other");
        meter.CreateObservableGauge("meshfabric_tunnel_packet_loss_ratio", () => Measured(view, t => t.LossRatio), description: "Lost part of the last 20 probes");
        meter.CreateObservableCounter("meshfabric_node_pod_bytes_total", () => traffic.Read().Select(c => new Measurement<long>(c.Bytes, Tag("direction", c.Direction), Tag("side", c.Side))), description: "Bytes that pods of this node sent and received");
        meter.CreateObservableCounter("meshfabric_node_pod_packets_total", () => traffic.Read().Select(c => new Measurement<long>(c.Packets, Tag("direction", c.Direction), Tag("side", c.Side))), description: "Packets that pods of this node sent and received");
    }

    static IEnumerable<Measurement<long>> Each(AgentView view, Func<TunnelReport, long> value) => view.Status.Tunnels.Select(t => new Measurement<long>(value(t), Tags(view, t)));

    static IEnumerable<Measurement<double>> Measured(AgentView view, Func<TunnelReport, double?> value) =>
        view.Status.Tunnels.Where(t => value(t) is not null).Select(t => new Measurement<double>(value(t)!.Value, Tags(view, t)));

    static KeyValuePair<string, object?>[] Tags(AgentView view, TunnelReport tunnel) =>
    [
        Tag("local_cluster", view.Status.Cluster), Tag("local_gateway", view.Status.Gateway), Tag("remote_cluster", tunnel.PeerCluster), Tag("remote_gateway", tunnel.PeerGateway), Tag("device", tunnel.Device),
    ];

    static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
