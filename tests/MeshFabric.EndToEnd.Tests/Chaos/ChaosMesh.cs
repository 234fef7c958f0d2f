using MeshFabric.EndToEnd.Tests.Product;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.EndToEnd.Tests.Chaos;

/// <summary>Two clusters of three nodes each, of which two are gateways, with their API servers, a control plane, and a connection between pods that lasts.</summary>
public sealed class ChaosMesh : IAsyncLifetime
{
    public const int Gateways = 2;

    static readonly LabSpec Spec = new(
        LabSpec.NameOfThisRun("chaos"),
        [new ClusterSpec("a", "10.10.0.0/16") { Cni = "flannel-host-gw" }, new ClusterSpec("b", "10.20.0.0/16") { Cni = "bridge" }]);

    readonly Dictionary<string, CniApi> _apis = [];
    PodServers? _servers;
    NodeMesh? _mesh;
    LastingConnection? _connection;

    public NodeMesh Mesh => _mesh!;

    public MeshFabric.Lab.Lab Lab => Mesh.Lab;

    /// <summary>Between pods of the workers.</summary>
    internal LastingConnection Connection => _connection!;

    public static IReadOnlyList<string> Clusters => [.. Spec.Clusters.Select(c => c.Name)];

    public static IReadOnlyList<string> Prefixes => [.. Spec.Clusters.Select(c => c.PodCidr!)];

    public IReadOnlyList<LabHost> Nodes => [.. Lab.Topology.Nodes];

    public static bool IsGateway(string node) => node[^1] - '0' <= Gateways;

    public static string ClusterOf(string node) => node.Split('-')[0];

    public CniApi Api(string node) => _apis[ClusterOf(node)];

    public LabHost Pod(string node) => Lab.Topology[$"{node}-p1"];

    public async ValueTask InitializeAsync()
    {
        _mesh = await NodeMesh.CreateAsync(Spec, JoinedMesh.Programs, _ => { }, CancellationToken.None);
        _servers = PodServers.Start(Lab.Topology);
        foreach (var cluster in Clusters)
        {
            var api = await CniApi.StartAsync(Lab, cluster, CancellationToken.None);
            _apis.Add(cluster, api);
            await api.StartProxiesAsync(knowsPodCidr: true, ProxyMode.Iptables, CancellationToken.None);
            await Mesh.JoinAsync(cluster, api, Gateways, CancellationToken.None);
        }

        await Mesh.ConnectedAsync(CancellationToken.None);
        await Invariants.WatchForClearTextAsync(this, CancellationToken.None);
        _connection = await LastingConnection.OpenAsync(Pod("a-n3"), Pod("b-n3"), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }

        foreach (var api in _apis.Values)
        {
            await api.DisposeAsync();
        }

        if (_servers is not null)
        {
            await _servers.DisposeAsync();
        }

        if (_mesh is not null)
        {
            KeptLogs.Of(Lab, JoinedMesh.Root(), "e2e");
            await _mesh.DisposeAsync();
        }
    }

    public Task StartAgentAsync(string node, CancellationToken cancellationToken) => Mesh.StartAgentAsync(node, Api(node), Gateways, cancellationToken);
}
