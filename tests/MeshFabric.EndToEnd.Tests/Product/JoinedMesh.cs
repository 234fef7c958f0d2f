using System.Diagnostics;
using System.Net;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>
/// aurora, borealis and cirrus joined by the CLI, with the real programs, PostgreSQL, RabbitMQ and WireGuard; the last two use the same prefixes inside.
/// delta (a site) and laptop (a machine behind a NAT box) are there too and join in the tests.
/// </summary>
public sealed class JoinedMesh : IAsyncLifetime
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    static readonly LabSpec Spec = new(
        "e2e",
        [
            new ClusterSpec("aurora", "10.10.0.0/16") { PodCidr6 = "fd10:10::/48" },
            new ClusterSpec("borealis", "10.20.0.0/16") { PodCidr6 = "fd10:20::/48" },
            new ClusterSpec("cirrus", "10.20.0.0/16") { PodCidr6 = "fd10:20::/48" },
            new ClusterSpec("delta", "10.30.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
            new ClusterSpec("laptop", null) { Gateways = 1, Workers = 0, Kind = "machine", Nat = new NatSpec() },
        ]);

    PodServers? _servers;

    public MeshLab Mesh { get; private set; } = null!;

    public MeshFabric.Lab.Lab Lab => Mesh.Lab;

    /// <summary>From the return of the last join to the first answer pod to pod.</summary>
    public TimeSpan FirstReply { get; private set; }

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Mesh = await MeshLab.CreateAsync(Spec, Programs, _ => { }, CancellationToken.None);
        _servers = PodServers.Start(Lab.Topology);
        foreach (var cluster in new[] { "aurora", "borealis", "cirrus" })
        {
            await Mesh.JoinAsync(cluster, CancellationToken.None);
        }

        var joined = Stopwatch.StartNew();
        await ReachesAsync("aurora-w1-p1", "100.64.1.10", CancellationToken.None);
        FirstReply = joined.Elapsed;
        await Mesh.MfctlAsync(CancellationToken.None, "status", "--wait", "--timeout", "90");
    }

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
        {
            await _servers.DisposeAsync();
        }

        if (Mesh is not null)
        {
            KeptLogs.Of(Lab, Root(), "e2e");
            await Mesh.DisposeAsync();
        }
    }

    public LabHost this[string host] => Lab.Topology[host];

    /// <summary>Waits until a host gets an answer by HTTP from a pod.</summary>
    public Task ReachesAsync(string from, string address, CancellationToken cancellationToken) =>
        Until.TrueAsync(async () => await SeenAsAsync(from, address, cancellationToken) is not null, Limit, $"{from} to reach {address}", cancellationToken);

    /// <summary>The source address that the pod at <paramref name="address"/> saw; null when it does not answer.</summary>
    public Task<IPAddress?> SeenAsAsync(string from, string address, CancellationToken cancellationToken) =>
        PodClient.SeenAsAsync(this[from], IPAddress.Parse(address), TimeSpan.FromSeconds(2), cancellationToken);

    /// <summary>A shell's exit code in a host.</summary>
    public async Task<bool> SucceedsAsync(string host, string script) => (await Lab.ExecAsync(host, ["sh", "-c", script], Cancellation)).ExitCode == 0;

    /// <summary>A person with the CLI.</summary>
    public Task<string> MfctlAsync(params string[] words) => Mesh.MfctlAsync(Cancellation, words);

    public static string Programs => Path.Combine(Root(), "out");

    public static string Root()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "MeshFabric.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("run from a checkout: MeshFabric.sln was not found");
    }
}
