using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using MeshFabric.Bench.Measuring;
using MeshFabric.Contracts.Http;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Traffic;
using ClusterSpec = MeshFabric.Lab.ClusterSpec;

namespace MeshFabric.Bench;

/// <summary>From an API call that changes a fact to the moment when every gateway runs it.</summary>
sealed class FactsBenchmark : IBenchmark
{
    const int ChangesPerRound = 6;

    public string Name => "facts";

    public string Description =>
        "A cluster is created and deleted by the API in a mesh of three clusters with two gateways each; the time from sending the request until the agents of all six gateways say that they applied that revision: database, broker, plan, devices, routes and tables.";

    public async Task<IReadOnlyList<Figure>> RunAsync(BenchmarkContext context, CancellationToken cancellationToken)
    {
        ClusterSpec Cluster(string name, string cidr) => new(name, cidr) { PodsPerWorker = 1 };
        await using var mesh = await MeshLab.CreateAsync(
            new LabSpec("bench-facts", [Cluster("aurora", "10.10.0.0/16"), Cluster("borealis", "10.20.0.0/16"), Cluster("cirrus", "10.20.0.0/16")]), context.Programs, context.Say, cancellationToken);
        foreach (var cluster in mesh.Lab.Spec.Clusters)
        {
            await mesh.JoinAsync(cluster.Name, cancellationToken);
        }

        await mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "60");
        await using var relay = NamespaceRelay.Start(mesh.Lab.Topology["control"], LabAddresses.Control, LabAddresses.ControlPort, 0);
        using var client = new MeshClient(
            new Uri($"https://localhost:{relay.Port}"), await File.ReadAllTextAsync(mesh.Control.AuthorityFile, cancellationToken), (await File.ReadAllTextAsync(mesh.Control.AdminTokenFile, cancellationToken)).Trim());
        var agents = mesh.Lab.Topology.Gateways.Select(g => Agent(Path.Combine(mesh.Lab.HostDirectory(g.Name), "state", "agent.sock"))).ToList();
        var latencies = new List<double>();
        for (var i = 0; i < context.Rounds * ChangesPerRound; i++)
        {
            var clock = Stopwatch.StartNew();
            if (i % 2 == 0)
            {
                await client.CreateClusterAsync(new CreateCluster("extra", null, new CreateClusterSpec("site", null, null, null, ["10.99.0.0/16"], null)), cancellationToken);
            }
            else
            {
                await client.DeleteClusterAsync("extra", cancellationToken);
            }

            var revision = (await client.GetMeshAsync(cancellationToken)).Revision;
            await Task.WhenAll(agents.Select(a => AppliedAsync(a, revision, cancellationToken)));
            latencies.Add(clock.Elapsed.TotalSeconds);
        }

        agents.ForEach(a => a.Dispose());
        context.Say($"{latencies.Count} changes: median {latencies.Median():0.000} s, most {latencies.Max():0.000} s");
        return
        [
            new("facts_to_applied_p50_seconds", latencies.Quantile(0.5)),
            new("facts_to_applied_p99_seconds", latencies.Quantile(0.99), "<= 2"),
            new("facts_to_applied_max_seconds", latencies.Max()),
        ];
    }

    static async Task AppliedAsync(HttpClient agent, long revision, CancellationToken cancellationToken)
    {
        while ((await agent.GetFromJsonAsync<JsonElement>("/status", cancellationToken)).GetProperty("appliedRevision").GetInt64() < revision)
        {
            await Task.Delay(5, cancellationToken);
        }
    }

    // The agent's own socket, in its state directory.
    static HttpClient Agent(string socketFile) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, token) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketFile), token);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        BaseAddress = new Uri("http://agent"),
    };
}
