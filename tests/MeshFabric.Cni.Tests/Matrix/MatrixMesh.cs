using System.Net;
using MeshFabric.Lab;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.Net;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>A mesh with a hub (flannel) that stays, and one cluster per plug-in that joins, is asked, and leaves again, one after the other.</summary>
public sealed class MatrixMesh : IAsyncLifetime
{
    public const string Hub = "hub";

    /// <summary>A cluster whose CIDR is the hub's own: each sees the other by other addresses.</summary>
    public const string Remapped = "remapped";

    /// <summary>Rows that have the hub's own CIDR, and their plug-ins.</summary>
    static readonly Dictionary<string, string> RemappedPlugins = new() { [Remapped] = HubPlugin, [Remapped + "-calico"] = "calico-vxlan", [Remapped + "-weave"] = "weave" };

    /// <summary>Rows whose kube-proxy is in mode nftables, and their plug-ins.</summary>
    static readonly Dictionary<string, string> NftablesProxyPlugins = new() { ["proxy-nftables"] = HubPlugin, ["proxy-nftables-calico"] = "calico-nftables" };

    internal static IReadOnlyList<string> AllRows { get; } = [.. CniPlugins.Names, .. RemappedPlugins.Keys, .. NftablesProxyPlugins.Keys];

    /// <summary>What is asked: all, or those that the environment variable CNI_ROWS names, separated by commas.</summary>
    internal static IReadOnlyList<string> Rows { get; } =
        Environment.GetEnvironmentVariable("CNI_ROWS") is { Length: > 0 } names ? names.Split(',') : AllRows;

    /// <summary>Machines of no cluster on a LAN behind one gateway.</summary>
    public const string Site = "plant";

    const string HubPlugin = "flannel-vxlan";
    internal const int Gateways = 2;
    const string HubCidr = "10.200.0.0/16";
    internal static readonly Cidr HubCidr6 = Cidr.Parse("fd10:200::/48");

    static readonly LabSpec Spec = new(
        LabSpec.NameOfThisRun("cni"),
        [
            new ClusterSpec(Hub, HubCidr) { Cni = HubPlugin, PodCidr6 = HubCidr6.ToString() },
            .. Rows.Select((row, i) => new ClusterSpec(ClusterOf(row), IsRemapped(row) ? HubCidr : $"10.{101 + i}.0.0/16") { Cni = PluginOf(row), PodCidr6 = CniPlugins.IsDualStack(PluginOf(row)) ? $"fd10:{101 + i}::/48" : null }),
            new ClusterSpec(Site, "10.250.0.0/16") { Gateways = 1, PodsPerWorker = 1 },
        ]);

    readonly Results _results = new();
    NodeMesh _mesh = null!;
    PodServers? _servers;
    CniApi? _api;
    Hub? _hub;
    Row? _row;

    /// <summary>Clusters that did not join: asking them costs time and tells nothing.</summary>
    readonly HashSet<string> _failed = [];

    public async ValueTask InitializeAsync()
    {
        _mesh = await NodeMesh.CreateAsync(Spec, Path.Combine(Checkout.Root, "out"), _ => { }, CancellationToken.None);
        _servers = PodServers.Start(_mesh.Lab.Topology, _mesh.Lab.Topology["control"]);
        _api = await CniApi.StartAsync(_mesh.Lab, Hub, CancellationToken.None);
        var pods = _mesh.Lab.Topology.Pods.Where(p => p.Cluster == Hub).ToList();
        await _api.CreateServiceAsync("all", Row.AllPods.ToString(), pods.Select(p => p.Address!), nodePort: null, local: false, CancellationToken.None);
        await _api.CreateServiceAsync("all6", Row.AllPods6.ToString(), pods.Select(p => p.Address6!), nodePort: null, local: false, CancellationToken.None);
        await _api.StartProxiesAsync(knowsPodCidr: true, ProxyMode.Iptables, CancellationToken.None);
        await _mesh.JoinAsync(Hub, _api, Gateways, CancellationToken.None);
        await _mesh.JoinSiteAsync(Site, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        _results.Write();
        if (Environment.GetEnvironmentVariable("CNI_KEEP") == "1")
        {
            return;
        }

        if (_api is not null)
        {
            await _api.DisposeAsync();
        }

        if (_servers is not null)
        {
            await _servers.DisposeAsync();
        }

        if (_mesh is not null)
        {
            KeptLogs.Of(_mesh.Lab, Checkout.Root, "cni");
            await _mesh.DisposeAsync();
        }
    }

    internal static bool IsRemapped(string row) => RemappedPlugins.ContainsKey(row);

    static string PluginOf(string row) => RemappedPlugins.GetValueOrDefault(row) ?? NftablesProxyPlugins.GetValueOrDefault(row) ?? row;

    internal async Task RunAsync(string plugin, (string Name, Func<Row, Task> Run) check)
    {
        try
        {
            await check.Run(await RowAsync(plugin));
            _results.Add(plugin, check.Name, "yes");
        }
        catch (NotAskedException e)
        {
            _results.Add(plugin, check.Name, e.Message);
        }
        catch
        {
            _results.Add(plugin, check.Name, "**no**");
            throw;
        }
    }

    async Task<Row> RowAsync(string plugin)
    {
        var cluster = ClusterOf(plugin);
        if (_row?.Cluster == cluster && !_failed.Contains(cluster))
        {
            return _row;
        }

        if (_failed.Contains(cluster))
        {
            throw new InvalidOperationException($"{cluster} did not join: see its first check");
        }

        await EndRowAsync();
        _failed.Add(cluster);
        var token = TestContext.Current.CancellationToken;
        var api = await CniApi.StartAsync(_mesh.Lab, cluster, token);
        _hub ??= new Hub(_api!, await AdvertisedAsync(token));
        _row = new Row(_mesh, PluginOf(plugin), cluster, api) { FarPrefix = Cidr.Parse(HubCidr), Hub = _hub, Proxy = NftablesProxyPlugins.ContainsKey(plugin) ? ProxyMode.Nftables : ProxyMode.Iptables };
        await api.CreateServiceAsync("all", Row.AllPods.ToString(), _row.Pods.Select(p => p.Address!), Row.ClusterPort, local: false, token);
        await api.CreateServiceAsync("one", Row.WorkerPodAlone.ToString(), [_row.PodOnWorker.Address!], Row.LocalPort, local: true, token);
        if (_row.IsDualStack)
        {
            await api.CreateServiceAsync("all6", Row.AllPods6.ToString(), _row.Pods.Select(p => p.Address6!), nodePort: null, local: false, token);
        }

        await api.StartProxiesAsync(knowsPodCidr: true, _row.Proxy, token);
        foreach (var node in _row.Nodes)
        {
            // A check writes all rules again, which makes base chains that were not there; so they are made before.
            await _mesh.Lab.ShellAsync(node.Name, "iptables-nft -P FORWARD ACCEPT; iptables-nft-save | iptables-nft-restore", token);
            _row.Before[node.Name] = await HostState.ReadAsync(_mesh.Lab, node.Name, token);
        }

        await _mesh.JoinAsync(cluster, api, Gateways, token);
        await _mesh.ConnectedAsync(token);
        if (_row.IsRemapped)
        {
            // The hub gets its alias when the other one is known.
            var near = await _mesh.AliasAsync(cluster, token);
            var far = await _mesh.AliasAsync(Hub, token);
            (_row.FarPrefix, _row.FarAddress, _row.NearAddress) = (far, Translate(far), Translate(near));
        }

        await Row.HealsAsync(_row.PodPaths, "it joined");
        await api.CreateServiceAsync(Row.ImportName, Row.Import.ToString(), [_row.FarAddress(_row.FarOnGateway.Address!), _row.FarAddress(_row.FarOnWorker.Address!)], nodePort: null, local: false, token);
        if (_row.IsDualStack)
        {
            await api.CreateServiceAsync(Row.ImportName6, Row.Import6.ToString(), [_row.FarOnGateway.Address6!, _row.FarOnWorker.Address6!], nodePort: null, local: false, token);
        }

        _failed.Remove(cluster);
        return _row;
    }

    // Its agents find its Service CIDR out.
    async Task<Func<IPAddress, IPAddress>> AdvertisedAsync(CancellationToken cancellationToken)
    {
        await _mesh.AliasAsync(Hub, cancellationToken);
        return await _mesh.AdvertiseServicesAsync(Hub, cancellationToken);
    }

    static Func<IPAddress, IPAddress> Translate(Cidr to) => address => LabTopology.At(to, (int)(Cidr.Host(address).Bits - Cidr.Parse(HubCidr).Bits));

    async Task EndRowAsync()
    {
        if (_row is null)
        {
            return;
        }

        var row = _row;
        _row = null;
        try
        {
            // After a failed check it may be in the mesh still.
            await _mesh.LeaveAsync(row.Cluster, row.Api, CancellationToken.None);
        }
        finally
        {
            await row.Api.DeleteAsync(CancellationToken.None);
            await row.Api.DisposeAsync();
        }
    }

    static string ClusterOf(string plugin) => plugin.Replace('.', '-');
}
