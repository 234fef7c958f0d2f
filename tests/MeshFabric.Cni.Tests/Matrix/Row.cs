using System.Net;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.Net;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>One plug-in's cluster, joined with the hub: three nodes, of which the first two are gateways.</summary>
sealed class Row(NodeMesh mesh, string plugin, string cluster, CniApi api)
{
    /// <summary>In the row's cluster, of all its pods; of the pod on the worker alone; of the hub's pods (an import by hand).</summary>
    public static readonly IPAddress AllPods = IPAddress.Parse("10.96.0.80");
    public static readonly IPAddress WorkerPodAlone = IPAddress.Parse("10.96.0.81");
    public static readonly IPAddress Import = IPAddress.Parse("10.96.0.90");

    /// <summary>The same by IPv6, where pods have it.</summary>
    public static readonly IPAddress AllPods6 = IPAddress.Parse("fd96::80");
    public static readonly IPAddress Import6 = IPAddress.Parse("fd96::90");

    public const string ImportName = "import";
    public const string ImportName6 = "import6";

    public const int ClusterPort = 30080;
    public const int LocalPort = 30081;

    /// <summary>For one request. The machine may be slow; a packet that is lost is sent again after 1 and 3 s.</summary>
    static readonly TimeSpan Once = TimeSpan.FromSeconds(8);

    /// <summary>While something heals: a new flow is tried soon.</summary>
    public static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    public static readonly TimeSpan Heal = TimeSpan.FromSeconds(60);

    public string Plugin => plugin;

    public string Cluster => cluster;

    public ProxyMode Proxy { get; init; }

    /// <summary>It has the hub's own CIDR.</summary>
    public bool IsRemapped => MatrixMesh.IsRemapped(cluster);

    public NodeMesh Mesh => mesh;

    public CniApi Api => api;

    public Lab.Lab Lab => mesh.Lab;

    public LabHost this[string host] => Lab.Topology[host];

    public IReadOnlyList<LabHost> Nodes => [.. Lab.Topology.Nodes.Where(n => n.Cluster == cluster)];

    public LabHost Gateway => this[$"{cluster}-n2"];

    public LabHost Worker => this[$"{cluster}-n3"];

    public LabHost PodOnGateway => this[$"{cluster}-n2-p1"];

    public LabHost PodOnWorker => this[$"{cluster}-n3-p1"];

    /// <summary>With Calico, of an address that is borrowed from the first node's block.</summary>
    public LabHost SecondOnWorker => this[$"{cluster}-n3-p2"];

    public IReadOnlyList<LabHost> Pods => [PodOnGateway, PodOnWorker, SecondOnWorker];

    public LabHost NodeOf(LabHost pod) => this[pod.Name[..pod.Name.LastIndexOf('-')]];

    public LabHost FarWorker => this[$"{MatrixMesh.Hub}-n3"];

    public LabHost FarOnGateway => this[$"{MatrixMesh.Hub}-n2-p1"];

    public LabHost FarOnWorker => this[$"{MatrixMesh.Hub}-n3-p1"];

    /// <summary>On a site's LAN.</summary>
    public LabHost Machine => this[$"{MatrixMesh.Site}-w1-p1"];

    /// <summary>On the internet, in no mesh.</summary>
    public LabHost Stranger => this["control"];

    /// <summary>What the hub's pods are reached by from here, and this cluster's from there: themselves, unless they are remapped.</summary>
    public Func<IPAddress, IPAddress> FarAddress { get; set; } = a => a;

    public Func<IPAddress, IPAddress> NearAddress { get; set; } = a => a;

    public required Hub Hub { get; init; }

    /// <summary>As it is seen from this cluster.</summary>
    public required Cidr FarPrefix { get; set; }

    /// <summary>State of the nodes before the cluster joined, by host.</summary>
    public Dictionary<string, IReadOnlyList<string>> Before { get; } = [];

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The source that a server saw, by TCP and by UDP; null where there was no answer.</summary>
    public static Task<(IPAddress? Tcp, IPAddress? Udp)> SeenAsync(LabHost from, IPAddress to) => SeenAsync(from, to, Once);

    public static async Task<(IPAddress? Tcp, IPAddress? Udp)> SeenAsync(LabHost from, IPAddress to, TimeSpan limit)
    {
        var tcp = PodClient.SeenAsAsync(from, to, limit, Cancellation);
        var udp = PodClient.SeenByUdpAsync(from, to, limit, Cancellation);
        return (await tcp, await udp);
    }

    /// <summary>Asks by TCP and UDP over every path at once, several times, and tells each answer that is not the wanted source.</summary>
    public static async Task ExpectAsync(IEnumerable<Request> paths, int tries = 3)
    {
        var wrong = await Task.WhenAll(paths.Select(async path =>
        {
            for (var attempt = 1; attempt <= tries; attempt++)
            {
                var started = TimeProvider.System.GetTimestamp();
                var seen = await SeenAsync(path.From, path.To);
                if (!path.Accepts(seen.Tcp) || !path.Accepts(seen.Udp))
                {
                    // Refused at once, or nothing heard for all that time; and whether it stays so.
                    var took = TimeProvider.System.GetElapsedTime(started);
                    return $"{path.From.Name} -> {path.To}: {Said(seen)} after {took.TotalSeconds:F1} s, asked for time {attempt} of {tries} (asked once more: {Said(await SeenAsync(path.From, path.To))}) instead of {path.Wanted}";
                }
            }

            return null;
        }));
        // Not Assert.Empty: it shows the beginnings only.
        Assert.True(wrong.All(w => w is null), string.Join('\n', wrong.OfType<string>()));
    }

    static string Said((IPAddress? Tcp, IPAddress? Udp) seen) => $"seen as {seen.Tcp?.ToString() ?? "nobody"} by TCP and {seen.Udp?.ToString() ?? "nobody"} by UDP";

    /// <summary>Waits until every path is as wanted, then holds it there.</summary>
    /// <returns>How long the slowest path took.</returns>
    public static async Task<TimeSpan> HealsAsync(IReadOnlyList<Request> paths, string after)
    {
        var started = TimeProvider.System.GetTimestamp();
        var took = await Task.WhenAll(paths.Select(async path =>
        {
            IPAddress? tcp = null, udp = null;
            await Until.TrueAsync(
                async () =>
                {
                    (tcp, udp) = await SeenAsync(path.From, path.To, Soon);
                    return path.Accepts(tcp) && path.Accepts(udp);
                },
                Heal, () => $"{path.From.Name} -> {path.To} seen as {path.Wanted} after {after}; it is {tcp?.ToString() ?? "nobody"} by TCP, {udp?.ToString() ?? "nobody"} by UDP", Cancellation);
            return TimeProvider.System.GetElapsedTime(started);
        }));
        await ExpectAsync(paths);
        return took.Max();
    }

    /// <summary>Pod to pod between the clusters, both ways, on gateways and on workers.</summary>
    public IReadOnlyList<Request> PodPaths =>
    [
        .. Pods.SelectMany(p => new[] { FarOnGateway, FarOnWorker }.Select(f => Request.Of(p, FarAddress(f.Address!), NearAddress(p.Address!)))),
        .. new[] { FarOnGateway, FarOnWorker }.SelectMany(f => Pods.Select(p => Request.Of(f, NearAddress(p.Address!), FarAddress(f.Address!)))),
    ];

    /// <summary>Its pods have IPv6 addresses too. No cluster's are remapped.</summary>
    public bool IsDualStack => PodOnGateway.Address6 is not null;

    /// <summary>As <see cref="PodPaths"/>, by IPv6; empty where the cluster's pods have none.</summary>
    public IReadOnlyList<Request> PodPaths6 => !IsDualStack ? [] :
    [
        .. Pods.SelectMany(p => new[] { FarOnGateway, FarOnWorker }.Select(f => Request.Of(p, f.Address6!, p.Address6!))),
        .. new[] { FarOnGateway, FarOnWorker }.SelectMany(f => Pods.Select(p => Request.Of(f, p.Address6!, f.Address6!))),
    ];

    /// <summary>Does something while the agents of all nodes stand still and our tables are gone.</summary>
    public async Task WithoutExemptionAsync(Func<Task> action)
    {
        foreach (var node in Nodes)
        {
            await mesh.SignalAsync(node.Name, "STOP", Cancellation);
        }

        try
        {
            await OnNodesAsync("nft delete table inet meshfabric-node || true; nft delete table inet meshfabric || true; conntrack -F || true");
            await action();
        }
        finally
        {
            foreach (var node in Nodes)
            {
                await mesh.SignalAsync(node.Name, "CONT", Cancellation);
            }
        }
    }

    /// <summary>Runs a script in each node.</summary>
    public Task OnNodesAsync(string script) => OnAsync(Nodes, script);

    public async Task OnAsync(IEnumerable<LabHost> nodes, string script)
    {
        foreach (var node in nodes)
        {
            await Lab.ShellAsync(node.Name, script, Cancellation);
        }
    }
}

/// <summary>The cluster that stays.</summary>
/// <param name="InMesh">What its Services are reached by from others.</param>
sealed record Hub(CniApi Api, Func<IPAddress, IPAddress> InMesh);

/// <summary>A request and the source that its server must see.</summary>
/// <param name="Wanted">For people.</param>
sealed record Request(LabHost From, IPAddress To, Func<IPAddress?, bool> Accepts, string Wanted)
{
    public static Request Of(LabHost from, IPAddress to, IPAddress source) => new(from, to, source.Equals, source.ToString());

    /// <summary>One of several sources.</summary>
    public static Request OfAny(LabHost from, IPAddress to, IReadOnlyCollection<IPAddress> sources) => new(from, to, seen => seen is not null && sources.Contains(seen), string.Join(" or ", sources));
}
