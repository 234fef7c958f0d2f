using System.Net;
using System.Text.Json;
using k8s;
using k8s.Models;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Lab.Cni;

/// <summary>How kube-proxy makes a Service's address a pod's.</summary>
public enum ProxyMode
{
    Iptables,
    Nftables,
}

/// <summary>A real API server for a cluster with a CNI plug-in, on its first node: Nodes, pods and what the plug-in shows of itself. And a real kube-proxy for every node.</summary>
public sealed class CniApi : IAsyncDisposable
{
    const int Port = 6443;
    const string Group = "meshfabric.io";
    const string MeshNodes = "meshnodes";
    const string ServiceCidr = "10.96.0.0/16";

    /// <summary>As large as Kubernetes takes one.</summary>
    const string ServiceCidr6 = "fd96::/108";

    readonly Lab _lab;
    readonly CniCluster _cluster;
    readonly PrivateKubeApi _api;
    readonly NamespaceRelay _relay;
    readonly Dictionary<string, ProxiedService> _services = new(StringComparer.Ordinal);
    bool _proxiesKnowPodCidr;
    ProxyMode? _proxies;

    CniApi(Lab lab, CniCluster cluster, PrivateKubeApi api)
    {
        (_lab, _cluster, _api) = (lab, cluster, api);
        var first = cluster.Nodes[0];
        _relay = NamespaceRelay.Start(first.Host, first.Address, Port, listenPort: 0);
        var configuration = KubernetesClientConfiguration.BuildConfigFromConfigFile(api.Kubeconfig);
        configuration.Host = $"https://127.0.0.1:{_relay.Port}";
        // The certificate is for the server's address in the lab; the way there is our own.
        configuration.SkipTlsVerify = true;
        Client = new k8s.Kubernetes(configuration);
    }

    /// <summary>As the cluster's administrator, from outside the lab.</summary>
    public IKubernetes Client { get; }

    /// <summary>The administrator's, for programs on the cluster's own hosts.</summary>
    public string Kubeconfig => _api.Kubeconfig;

    public static async Task<CniApi> StartAsync(Lab lab, string cluster, CancellationToken cancellationToken)
    {
        var topology = new CniCluster(lab.Topology, lab.Topology.Cluster(cluster));
        var first = topology.Nodes[0];
        var options = new PrivateKubeApiOptions(Path.Combine(lab.Directory, "kubernetes", cluster))
        {
            Address = first.Address,
            Port = Port,
            ServiceCidr = ServiceCidrs(topology),
            DualStack = topology.IsDualStack,
            CommandPrefix = [lab.OnScript, first.Host.Name],
        };
        var api = new CniApi(lab, topology, await PrivateKubeApi.StartAsync(options, cancellationToken));
        await api.CreateObjectsAsync(cancellationToken);
        return api;
    }

    /// <summary>A Service of fixed address in front of pods, wherever they are; nothing selects them.</summary>
    /// <param name="address">Of the family of the endpoints.</param>
    /// <param name="nodePort">Also on every node's own addresses; null for not.</param>
    public async Task CreateServiceAsync(string name, string address, IEnumerable<IPAddress> endpoints, int? nodePort, bool local, CancellationToken cancellationToken)
    {
        await Client.CoreV1.CreateNamespacedServiceAsync(CniServices.Service(name, address, nodePort, local), "default", cancellationToken: cancellationToken);
        var all = endpoints.ToList();
        await Client.DiscoveryV1.CreateNamespacedEndpointSliceAsync(CniServices.Slice(name, all, PodNodes()), "default", cancellationToken: cancellationToken);
        _services.Add(name, new ProxiedService(name, address, all, nodePort, local));
        await WriteProxiesAsync(cancellationToken);
    }

    /// <summary>What an installation makes before agents run: their namespace and our kinds. Nothing when they are there.</summary>
    public async Task PrepareForAgentsAsync(CancellationToken cancellationToken)
    {
        var space = "meshfabric-system";
        if ((await Client.CoreV1.ListNamespaceAsync(cancellationToken: cancellationToken)).Items.Any(n => n.Name() == space))
        {
            return;
        }

        await Client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new V1ObjectMeta { Name = space } }, cancellationToken: cancellationToken);
        await CustomKinds.DefineAsync(Client, [new CustomKind(Group, "v1alpha1", "meshgateways", "MeshGateway"), new CustomKind(Group, "v1alpha1", MeshNodes, "MeshNode")], cancellationToken);
    }

    /// <summary>True when the agent of a node said that everything of ours was taken off it.</summary>
    public async Task<bool> HasLeftAsync(string node, CancellationToken cancellationToken)
    {
        var text = (await Client.CustomObjects.GetClusterCustomObjectAsync(Group, "v1alpha1", MeshNodes, node, cancellationToken)).ToString()!;
        using var document = JsonDocument.Parse(text);
        return document.RootElement.TryGetProperty("status", out var status) && status.TryGetProperty("left", out var left) && left.GetBoolean();
    }

    public async Task DeleteServiceAsync(string name, CancellationToken cancellationToken)
    {
        // The server answers with a Status, which the typed call does not read.
        using var services = new GenericClient(Client, "", "v1", "services", disposeClient: false);
        await services.DeleteNamespacedAsync<V1Status>("default", name, cancellationToken);
        await Client.DiscoveryV1.DeleteNamespacedEndpointSliceAsync(CniServices.SliceName(name), "default", cancellationToken: cancellationToken);
        _services.Remove(name);
        await WriteProxiesAsync(cancellationToken);
    }

    /// <summary>kube-proxy on every node: the real one in mode iptables, as kubeadm runs it; or what it leaves there in mode nftables, kept up to date with our Services.</summary>
    /// <param name="knowsPodCidr">True: it is told clusterCIDR, and masquerades whoever asks a ClusterIP from outside of it.</param>
    public Task StartProxiesAsync(bool knowsPodCidr, ProxyMode mode, CancellationToken cancellationToken)
    {
        (_proxiesKnowPodCidr, _proxies) = (knowsPodCidr, mode);
        return mode == ProxyMode.Iptables ? StartIptablesProxiesAsync(knowsPodCidr, cancellationToken) : WriteProxiesAsync(cancellationToken);
    }

    async Task WriteProxiesAsync(CancellationToken cancellationToken)
    {
        if (_proxies != ProxyMode.Nftables)
        {
            return;
        }

        foreach (var node in _cluster.Nodes)
        {
            foreach (var network in _cluster.Networks)
            {
                var rules = NftablesProxy.Ruleset(network, _services.Values, _proxiesKnowPodCidr, [.. node.Pods.SelectMany(p => p.Addresses)]);
                await _lab.ShellAsync(node.Host.Name, $"nft -f - <<'END'\n{rules}\nEND", cancellationToken);
            }
        }
    }

    async Task StartIptablesProxiesAsync(bool knowsPodCidr, CancellationToken cancellationToken)
    {
        foreach (var node in _cluster.Nodes)
        {
            var file = Path.Combine(_lab.HostDirectory(node.Host.Name), "kube-proxy.yaml");
            await File.WriteAllTextAsync(file, CniServices.Proxy(_cluster, node, Kubeconfig, knowsPodCidr), cancellationToken);
            await _lab.StartAsync(node.Host.Name, "kube-proxy", [CniServices.ProxyProgram, $"--config={file}", "--v=1"], cancellationToken);
        }

        foreach (var node in _cluster.Nodes)
        {
            foreach (var save in _cluster.IsDualStack ? new[] { "iptables-nft-save", "ip6tables-nft-save" } : ["iptables-nft-save"])
            {
                await Until.TrueAsync(async () => (await _lab.ExecAsync(node.Host.Name, [save, "-t", "nat"], cancellationToken)).Output.Contains("-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\"", StringComparison.Ordinal),
                    TimeSpan.FromSeconds(60), () => $"kube-proxy's rules on {node.Host.Name}, by {save}; {_lab.Process(node.Host.Name, "kube-proxy").LogTail()}", cancellationToken);
            }
        }
    }

    /// <summary>The API server is gone; etcd, and so every object, stays.</summary>
    public Task KillServerAsync(CancellationToken cancellationToken) => _api.KillServerAsync(cancellationToken);

    /// <summary>It is there again.</summary>
    public Task StartServerAsync(CancellationToken cancellationToken) => _api.StartServersAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _relay.DisposeAsync();
    }

    /// <summary>Ends the servers and forgets every object.</summary>
    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        foreach (var node in _proxies == ProxyMode.Iptables ? _cluster.Nodes : [])
        {
            await _lab.Process(node.Host.Name, "kube-proxy").StopAsync("KILL", cancellationToken);
        }

        await _api.DeleteAsync(cancellationToken);
    }

    async Task CreateObjectsAsync(CancellationToken cancellationToken)
    {
        var objects = _cluster.Plugin.Objects(_cluster);
        var namespaces = objects.DaemonSets.Select(d => d.Namespace()).Concat(objects.ConfigMaps.Select(c => c.Namespace())).Distinct().Except(["kube-system"]);
        foreach (var name in namespaces)
        {
            await Client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new V1ObjectMeta { Name = name } }, cancellationToken: cancellationToken);
        }

        foreach (var map in objects.ConfigMaps.Append(CniServices.Kubeadm(_cluster.Topology.Spec, ServiceCidrs(_cluster))))
        {
            await Client.CoreV1.CreateNamespacedConfigMapAsync(map, map.Namespace(), cancellationToken: cancellationToken);
        }

        foreach (var set in objects.DaemonSets.Append(CniServices.ProxyDaemonSet))
        {
            await Client.AppsV1.CreateNamespacedDaemonSetAsync(set, set.Namespace(), cancellationToken: cancellationToken);
        }

        await CustomObjects.CreateAsync(Client, objects.CustomObjects, cancellationToken);
        // Nobody makes service accounts here, and a pod must have one.
        await Client.CoreV1.CreateNamespacedServiceAccountAsync(new V1ServiceAccount { Metadata = new V1ObjectMeta { Name = "default" }, AutomountServiceAccountToken = false }, "default", cancellationToken: cancellationToken);
        foreach (var node in _cluster.Nodes)
        {
            await CreateNodeAsync(node, objects.Annotations(node), cancellationToken);
        }
    }

    async Task CreateNodeAsync(CniNode node, Dictionary<string, string> annotations, CancellationToken cancellationToken)
    {
        await Client.CreateNodeAsync(new NodeObject(node.Host.ShortName) { Addresses = [node.Address.ToString()], PodCidrs = [.. node.PodCidrs.Select(c => c.ToString())], Labels = GatewayLabels(node) }, cancellationToken);
        var patch = new V1Patch(new { metadata = new { annotations } }, V1Patch.PatchType.MergePatch);
        await Client.CoreV1.PatchNodeAsync(patch, node.Host.ShortName, cancellationToken: cancellationToken);
        foreach (var host in node.Pods)
        {
            var pod = await Client.CoreV1.CreateNamespacedPodAsync(CniServices.Pod(host, node), "default", cancellationToken: cancellationToken);
            pod.Status = new V1PodStatus { Phase = "Running", PodIP = host.Address!.ToString(), PodIPs = [.. host.Addresses.Select(a => new V1PodIP { Ip = a.ToString() })], HostIP = node.Address.ToString() };
            await Client.CoreV1.ReplaceNamespacedPodStatusAsync(pod, pod.Name(), "default", cancellationToken: cancellationToken);
        }
    }

    // The first two nodes may be gateways: a test knows who is one and who is not.
    static Dictionary<string, string> GatewayLabels(CniNode node) => node.Number <= 2 ? new() { ["meshfabric.io/gateway"] = "true" } : [];

    Dictionary<IPAddress, string> PodNodes() => _cluster.Nodes.SelectMany(n => n.Pods.SelectMany(p => p.Addresses.Select(a => (Address: a, n)))).ToDictionary(x => x.Address, x => x.n.Host.ShortName);

    static string ServiceCidrs(CniCluster cluster) => cluster.IsDualStack ? $"{ServiceCidr},{ServiceCidr6}" : ServiceCidr;
}
