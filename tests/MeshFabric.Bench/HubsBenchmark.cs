using System.Globalization;
using MeshFabric.Bench.Measuring;
using MeshFabric.Bench.Peers;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench;

/// <summary>What it costs two clusters to reach each other by a hub, and how long they stand still when one of its gateways dies.</summary>
sealed class HubsBenchmark : IBenchmark
{
    const int FlowPairs = 4;
    const string Hub = "hub";
    const string DirectTunnel = "a.gw1--b.gw1";
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public string Name => "hubs";

    public string Description =>
        "Two clusters with one gateway each and a third one with two, twice, both labs up at the same time: one stays a full mesh, in the other a manifest declares hub-and-spoke with the third cluster as hub, so that the two have no tunnel to each other. TCP, one stream, and round trips from a pod of the one to a pod of the other, in turns, there and back again; the ratio is the median of the rounds' ratios. " +
        "Then, with eight UDP flows of 100 packets a second each between the two pods by both gateways of the hub, there for three seconds, agent and wireguard-go of one of these are killed: the loss is the longest time that any of the flows was without an answer, less the 10 ms between packets; then the gateway comes back.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        await using var full = await CreateAsync("bench-full", context, cancellationToken);
        await JoinAsync(full, cancellationToken);
        await using var hubs = await CreateAsync("bench-hubs", context, cancellationToken);
        await JoinAsync(hubs, cancellationToken);
        await DeclareAsync(hubs, cancellationToken);
        Way[] ways = [new("direct", full.Lab, TwoSites.From, TwoSites.Target), new("by_hub", hubs.Lab, TwoSites.From, TwoSites.Target)];
        foreach (var way in ways)
        {
            await Traffic.ServeAsync(way.Lab, TwoSites.To, cancellationToken);
            await Traffic.ReachesAsync(way.Lab, way.From, way.To, way.Name, cancellationToken);
        }

        var measured = await InTurns.MeasureAsync(context, ways, cancellationToken);
        return [new("hub_over_direct_ratio", measured.Ratio("by_hub", "direct")), .. measured.Figures, .. await LossesAsync(hubs, context, cancellationToken)];
    }

    static Task<MeshLab> CreateAsync(string name, BenchmarkContext context, CancellationToken cancellationToken) =>
        MeshLab.CreateAsync(new LabSpec(name, [.. TwoSites.Clusters, new ClusterSpec(Hub, "10.30.0.0/16") { PodsPerWorker = 1 }]), context.Programs, context.Say, cancellationToken);

    static async Task JoinAsync(MeshLab mesh, CancellationToken cancellationToken)
    {
        foreach (var cluster in mesh.Lab.Spec.Clusters)
        {
            await mesh.JoinAsync(cluster.Name, cancellationToken);
        }

        await ConnectedAsync(mesh, cancellationToken);
    }

    static async Task DeclareAsync(MeshLab mesh, CancellationToken cancellationToken)
    {
        var file = Path.Combine(mesh.Lab.Directory, "topology.yaml");
        await File.WriteAllTextAsync(file, $$"""
            apiVersion: meshfabric.io/v1
            kind: Topology
            metadata: { name: mesh }
            spec:
              type: hub-and-spoke
              hubs: role=hub
            ---
            apiVersion: meshfabric.io/v1
            kind: Cluster
            metadata: { name: {{Hub}}, labels: { role: hub } }

            """, cancellationToken);
        await mesh.MfctlAsync(cancellationToken, "apply", "-f", file);
        await ConnectedAsync(mesh, cancellationToken);
        if ((await mesh.MfctlAsync(cancellationToken, "tunnel", "list", "-o", "name")).Contains(DirectTunnel, StringComparison.Ordinal))
        {
            throw new LabException($"the spokes still have {DirectTunnel}");
        }
    }

    static Task ConnectedAsync(MeshLab mesh, CancellationToken cancellationToken) => mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "90");

    static async Task<IReadOnlyList<Figure>> LossesAsync(MeshLab mesh, BenchmarkContext context, CancellationToken cancellationToken)
    {
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        var lost = new List<double>();
        for (var round = 1; round <= context.Rounds; round++)
        {
            var gateway = $"{Hub}-gw{1 + (round % 2)}";
            await using var flows = PingFlows.BothWays(mesh.Lab.Topology[TwoSites.From], mesh.Lab.Topology[TwoSites.To], FlowPairs);
            await BothCarryAsync(mesh.Lab, cancellationToken);
            await flows.GoOnAsync(Limit, "before", cancellationToken, PingFlows.Settled);
            await mesh.SignalGatewayAsync(gateway, "KILL", cancellationToken);
            await flows.GoOnAsync(Limit, $"after {gateway} was killed", cancellationToken);
            lost.Add(await flows.LossAsync());
            await mesh.StartAgentAsync(gateway, cancellationToken);
            await ConnectedAsync(mesh, cancellationToken);
            context.Say(string.Create(CultureInfo.InvariantCulture, $"{gateway} killed, round {round} of {context.Rounds}: {lost[^1]:0.00} s lost"));
        }

        return Rounds.Losses("hub_gateway_killed_", lost);
    }

    static async Task BothCarryAsync(Lab.Lab lab, CancellationToken cancellationToken)
    {
        foreach (var (host, prefix) in new[] { ("a-gw1", "10.20.0.0/16"), ("b-gw1", "10.10.0.0/16") })
        {
            await Until.TrueAsync(async () => (await lab.ShellAsync(host, $"ip route show table 7710 {prefix} | grep -c nexthop || true", cancellationToken)).Trim() == "2", Limit, $"two ways from {host} to {prefix}", cancellationToken);
        }
    }
}
