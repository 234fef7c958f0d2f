using MeshFabric.Cli.Asking;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Verifying;

/// <summary>Asks the server for all that <see cref="Verification"/> judges.</summary>
static class Gathering
{
    /// <summary>IPv4 and ICMP headers of an echo request, which carry no payload.</summary>
    const int EchoHeaderBytes = 28;
    const int SmallPayloadBytes = 56;
    const int MaxPayloadBytes = 8_000;
    const int IntervalMilliseconds = 50;
    const int Steps = 4;

    public static async Task<Evidence> RunAsync(Session session, string a, string b, int count, CancellationToken cancellationToken)
    {
        var client = session.Client;
        session.Step(1, Steps, $"looking at {a} and {b}");
        var clusters = new[] { await client.GetClusterAsync(a, cancellationToken), await client.GetClusterAsync(b, cancellationToken) };
        var gateways = new List<GatewayResource>();
        foreach (var cluster in new[] { a, b })
        {
            gateways.AddRange(await client.ListGatewaysAsync(cluster, cancellationToken));
        }

        var tunnels = (await client.ListAsync<TunnelResource>($"tunnels?cluster={Uri.EscapeDataString(a)}", cancellationToken)).Where(t => t.Spec.A.Cluster == b || t.Spec.B.Cluster == b).ToList();
        session.Step(2, Steps, $"comparing {gateways.Count} gateway(s) with their plan");
        var explanations = new List<GatewayExplanation>();
        foreach (var gateway in gateways)
        {
            explanations.Add(await client.ExplainAsync(gateway.Spec.Cluster, gateway.Spec.Name, cancellationToken));
        }

        var mtu = explanations.SelectMany(e => e.Actual?.Devices ?? []).Select(d => d.Mtu).Where(m => m > EchoHeaderBytes).DefaultIfEmpty(0).Min();
        var payload = mtu == 0 ? 0 : Math.Min(mtu - EchoHeaderBytes, MaxPayloadBytes);
        ProbeResource? small = null, full = null;
        var error = "";
        try
        {
            session.Step(3, Steps, $"measuring with {SmallPayloadBytes}-byte packets, both ways");
            small = await Probing.RunAsync(session, new CreateProbe(a, b, count, IntervalMilliseconds, SmallPayloadBytes), cancellationToken);
            session.Step(4, Steps, payload > 0 ? $"measuring with {payload}-byte packets, both ways" : "no agent has told its tunnels' MTU: full-size packets are left out");
            full = payload > 0 ? await Probing.RunAsync(session, new CreateProbe(a, b, count, IntervalMilliseconds, payload), cancellationToken) : null;
        }
        catch (MeshApiException e) when (e.Problem.Status is 409)
        {
            error = e.Problem.Detail;
        }

        return new Evidence(clusters[0], clusters[1], gateways, tunnels, explanations, small, full, payload, error);
    }
}
