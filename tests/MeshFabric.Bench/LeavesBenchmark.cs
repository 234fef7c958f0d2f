using System.Globalization;
using MeshFabric.Bench.Measuring;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench;

/// <summary>What it is worth that nodes end tunnels themselves, and what is lost when one of them fails.</summary>
sealed class LeavesBenchmark : IBenchmark
{
    const int FlowPairs = 4;
    const string Plugin = "flannel-host-gw";
    const string From = "a-n3-p1";
    const string Node = "b-n3";
    const string To = "b-n3-p1";
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public string Name => "leaves";

    public string Description =>
        "Two meshes of the same shape that are up at the same time: two clusters with the state of flannel (host-gw), three nodes each, of which one is the gateway. In one of them the granularity of both clusters is node. TCP, one stream, and round trips from a pod on a worker to a pod on a worker, in turns, there and back again; " +
        "a ratio is the median of the rounds' ratios. Then agent and wireguard-go are killed on the worker that is a leaf: the longest time that any of eight flows of 100 packets a second was without an answer, less the 10 ms between packets, until they went by the cluster's gateway.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        await using var gateways = await Mesh.StartAsync("bench-lg", "gateway", context, cancellationToken);
        await using var leaves = await Mesh.StartAsync("bench-ln", "node", context, cancellationToken);
        var measured = await InTurns.MeasureAsync(context, [gateways.Way, leaves.Way], cancellationToken);
        return [new("node_over_gateway_ratio", measured.Ratio("node", "gateway")), .. measured.Figures, .. await FailureAsync(leaves, context, cancellationToken)];
    }

    static async Task<IReadOnlyList<Figure>> FailureAsync(Mesh mesh, BenchmarkContext context, CancellationToken cancellationToken)
    {
        var lost = new List<double>();
        for (var round = 0; round < context.Rounds; round++)
        {
            await mesh.DirectAsync(cancellationToken);
            await using var flows = PingFlows.BothWays(mesh.Lab.Topology[From], mesh.Lab.Topology[To], FlowPairs);
            await flows.GoOnAsync(Limit, "before", cancellationToken);
            await mesh.Nodes.SignalGatewayAsync(Node, "KILL", cancellationToken);
            await flows.GoOnAsync(Limit, "by the gateway", cancellationToken);
            lost.Add(await flows.LossAsync());
            await mesh.RestartAsync(Node, cancellationToken);
        }

        context.Say(string.Create(CultureInfo.InvariantCulture, $"leaf killed: median {lost.Median():0.00} s, most {lost.Max():0.00} s"));
        return Rounds.Losses("leaf_killed_", lost);
    }

    sealed class Mesh : IAsyncDisposable
    {
        readonly List<CniApi> _apis = [];
        PodServers? _servers;

        Mesh(string granularity, NodeMesh nodes) => (Granularity, Nodes) = (granularity, nodes);

        string Granularity { get; }

        public NodeMesh Nodes { get; }

        public Lab.Lab Lab => Nodes.Lab;

        public Way Way => new(Granularity, Lab, From, $"{Lab.Topology[To].Address}");

        public static async Task<Mesh> StartAsync(string name, string granularity, BenchmarkContext context, CancellationToken cancellationToken)
        {
            LabSpec spec = new(name, [new ClusterSpec("a", "10.10.0.0/16") { Cni = Plugin }, new ClusterSpec("b", "10.20.0.0/16") { Cni = Plugin }]);
            var mesh = new Mesh(granularity, await NodeMesh.CreateAsync(spec, context.Programs, context.Say, cancellationToken));
            try
            {
                await mesh.JoinAsync(context, cancellationToken);
                return mesh;
            }
            catch
            {
                await mesh.DisposeAsync();
                throw;
            }
        }

        async Task JoinAsync(BenchmarkContext context, CancellationToken cancellationToken)
        {
            _servers = PodServers.Start(Lab.Topology);
            foreach (var cluster in new[] { "a", "b" })
            {
                _apis.Add(await NodeClusters.JoinAsync(Nodes, cluster, gateways: 1, context, cancellationToken));
                await Nodes.MfctlAsync(cancellationToken, "cluster", "set", cluster, "--granularity", Granularity);
            }

            await Nodes.ConnectedAsync(cancellationToken);
            await Traffic.ServeAsync(Lab, To, cancellationToken);
            if (Granularity == "node")
            {
                await DirectAsync(cancellationToken);
            }

            await Traffic.ReachesAsync(Lab, From, Way.To, $"granularity {Granularity}", cancellationToken);
        }

        /// <summary>Waits until worker and worker send to each other by tunnels of their own.</summary>
        public async Task DirectAsync(CancellationToken cancellationToken)
        {
            foreach (var (node, far) in new[] { ("a-n3", Lab.Topology[To]), (Node, Lab.Topology[From]) })
            {
                var own = Lab.Topology[$"{node}-p1"].Address;
                await Until.TrueAsync(async () => (await Lab.ShellAsync(node, $"ip route get {far.Address} from {own} iif $(ip -o route get {own} | sed 's/.* dev \\([^ ]*\\).*/\\1/') 2>/dev/null || true", cancellationToken)).Contains("dev mf8", StringComparison.Ordinal),
                    Limit, $"the route of {node} to go by its own tunnel", cancellationToken);
            }
        }

        public Task RestartAsync(string node, CancellationToken cancellationToken) => Nodes.StartAgentAsync(node, _apis[1], gateways: 1, cancellationToken);

        public async ValueTask DisposeAsync()
        {
            foreach (var api in _apis)
            {
                await api.DisposeAsync();
            }

            if (_servers is not null)
            {
                await _servers.DisposeAsync();
            }

            await Nodes.DisposeAsync();
        }
    }
}
