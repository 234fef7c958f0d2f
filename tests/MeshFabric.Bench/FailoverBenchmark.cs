using System.Diagnostics;
using System.Globalization;
using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench;

/// <summary>How long flows between two clusters stand still when a gateway fails.</summary>
sealed class FailoverBenchmark : IBenchmark
{
    const string Plugin = "flannel-host-gw";
    const string Gateway = "b-n2";
    const int FlowPairs = 4;
    const int Connections = 4;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    static readonly string[] Harms = ["killed", "stopped", "uplink_cut", "forwarding_off", "firewall_drops"];

    public string Name => "failover";

    public string Description =>
        "Two clusters with the state of flannel (host-gw), two gateways each; eight UDP flows, 100 packets a second each, between pods of workers, so that both gateways carry some, and there for three seconds: agents probe what carries traffic ten times a second, and see within two seconds that it does. Then on one gateway agent and wireguard-go are killed, or stopped (SIGSTOP: the kernel goes on and answers pings), " +
        "its uplink is cut, its forwarding is switched off (which its agent mends), or somebody's firewall drops what it should hand on (which nobody mends). Each fault has so many rounds; a round's loss is the longest time that any of the flows was without an answer, less the 10 ms between packets; then the gateway comes back. In every second round control service, PostgreSQL and RabbitMQ are killed before, and come back after the gateway has been started. Four TCP connections stand from the beginning to the end, and talk all the time: tcp_resets counts those that broke.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        LabSpec spec = new("bench-fail", [new ClusterSpec("a", "10.10.0.0/16") { Cni = Plugin }, new ClusterSpec("b", "10.20.0.0/16") { Cni = Plugin }]);
        await using var mesh = await NodeMesh.CreateAsync(spec, context.Programs, context.Say, cancellationToken);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        await using var a = await NodeClusters.JoinAsync(mesh, "a", gateways: 2, context, cancellationToken);
        await using var b = await NodeClusters.JoinAsync(mesh, "b", gateways: 2, context, cancellationToken);
        await mesh.ConnectedAsync(cancellationToken);
        var (figures, all) = (new List<Figure>(), new List<double>());
        await using var connections = await LastingConnections.OpenAsync(mesh.Lab.Topology["a-n3-p1"], mesh.Lab.Topology["b-n3-p1"], Connections, cancellationToken);
        foreach (var harm in Harms)
        {
            var lost = new List<double>();
            for (var round = 0; round < context.Rounds; round++)
            {
                var clock = Stopwatch.StartNew();
                var withoutControl = round % 2 == 1;
                if (withoutControl)
                {
                    await mesh.Control.Kill9Async(cancellationToken);
                }

                lost.Add(await RoundAsync(mesh, connections, harm, cancellationToken));
                await UndoAsync(mesh, b, harm, withoutControl, cancellationToken);
                context.Say(string.Create(CultureInfo.InvariantCulture, $"{harm}, round {round + 1} of {context.Rounds}{(withoutControl ? " without control" : "")}: {lost[^1]:0.00} s lost; {clock.Elapsed.TotalSeconds:0} s in all"));
            }

            figures.AddRange(Rounds.Losses($"{harm}_", lost));
            all.AddRange(lost);
        }

        figures.AddRange(Rounds.Losses("", all));
        figures.Add(new("tcp_resets", connections.Broken, "<= 0"));
        return figures;
    }

    static async Task<double> RoundAsync(NodeMesh mesh, LastingConnections connections, string harm, CancellationToken cancellationToken)
    {
        var recovered = false;
        await using var flows = PingFlows.BothWays(mesh.Lab.Topology["a-n3-p1"], mesh.Lab.Topology["b-n3-p1"], FlowPairs);
        // Else nothing is lost because nothing went there.
        await BothCarryAsync(mesh.Lab, cancellationToken);
        await flows.GoOnAsync(Limit, "before", cancellationToken, PingFlows.Settled);
        var talking = connections.TalkAsync(Limit, () => Volatile.Read(ref recovered), cancellationToken);
        await HarmAsync(mesh, harm, cancellationToken);
        await flows.GoOnAsync(Limit, $"after {harm}", cancellationToken);
        Volatile.Write(ref recovered, true);
        await talking;
        return await flows.LossAsync();
    }

    static async Task BothCarryAsync(Lab.Lab lab, CancellationToken cancellationToken)
    {
        foreach (var (host, route) in new[] { ("b-n3", "table 7712 10.10.0.0/16"), ("a-n3", "table 7712 10.20.0.0/16"), ("a-n1", "table 7710 10.20.0.0/16"), ("a-n2", "table 7710 10.20.0.0/16"), ("b-n2", "table 7710 10.10.0.0/16") })
        {
            await Until.TrueAsync(async () => (await lab.ShellAsync(host, $"ip route show {route} | grep -c nexthop || true", cancellationToken)).Trim() == "2", Limit, $"two ways in {route} of {host}", cancellationToken);
        }
    }

    static Task HarmAsync(NodeMesh mesh, string harm, CancellationToken cancellationToken) => harm switch
    {
        "killed" => mesh.SignalGatewayAsync(Gateway, "KILL", cancellationToken),
        "stopped" => mesh.SignalGatewayAsync(Gateway, "STOP", cancellationToken),
        "uplink_cut" => mesh.Lab.ShellAsync("b-lan", "ip link set n2 down", cancellationToken),
        "firewall_drops" => mesh.Lab.ShellAsync(Gateway, "nft 'table inet careless { chain forward { type filter hook forward priority -200; iifname \"mf*\" drop; }; }'", cancellationToken),
        _ => mesh.Lab.ShellAsync(Gateway, "echo 0 >/proc/sys/net/ipv4/ip_forward", cancellationToken),
    };

    static async Task UndoAsync(NodeMesh mesh, CniApi api, string harm, bool withoutControl, CancellationToken cancellationToken)
    {
        switch (harm)
        {
            case "killed":
                await mesh.StartAgentAsync(Gateway, api, gateways: 2, cancellationToken);
                break;
            case "stopped":
                await mesh.SignalGatewayAsync(Gateway, "CONT", cancellationToken);
                break;
            case "uplink_cut":
                await mesh.Lab.ShellAsync("b-lan", "ip link set n2 up", cancellationToken);
                break;
            case "firewall_drops":
                await mesh.Lab.ShellAsync(Gateway, "nft delete table inet careless", cancellationToken);
                break;
        }

        // After the gateway, which needs none of it, and whose slot others would take after 15 s.
        if (withoutControl)
        {
            await mesh.Control.StartAsync(cancellationToken);
        }

        // All agents must tell so, for a tunnel that the others call connected may be one that nobody has asked since.
        await mesh.ConnectedAsync(cancellationToken);
    }
}
