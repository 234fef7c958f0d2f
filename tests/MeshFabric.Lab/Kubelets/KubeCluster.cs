using System.Net;
using k8s;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Lab.Kubelets;

/// <summary>A real Kubernetes cluster in the lab: API server, controllers and scheduler on one machine, kubelets on others.</summary>
/// <remarks>It outlives this object; disposing ends only our way to its API.</remarks>
public sealed class KubeCluster : IAsyncDisposable
{
    static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(3);

    readonly Lab _lab;
    readonly PrivateKubeApi _api;
    readonly NamespaceRelay _relay;

    KubeCluster(Lab lab, string name, PrivateKubeApi api)
    {
        _lab = lab;
        _api = api;
        Name = name;
        Nodes = [.. Enumerable.Range(1, Topology.Spec.Kubelets).Select(n => new KubeNode(lab, name, n))];
        _relay = NamespaceRelay.Start(lab.Topology[$"{name}-api"], IPAddress.Loopback, LabAddresses.KubeApiPort, listenPort: 0);
        Client = new k8s.Kubernetes(Configuration());
    }

    public string Name { get; }

    /// <summary>By number, those to spare last.</summary>
    public IReadOnlyList<KubeNode> Nodes { get; }

    /// <summary>As the cluster's administrator, from this process.</summary>
    public IKubernetes Client { get; }

    /// <summary>The administrator's, for programs in the lab: control plane, nodes, other clusters.</summary>
    public string Kubeconfig => _api.Kubeconfig;

    public ClusterTopology Topology => _lab.Topology.Cluster(Name);

    /// <summary>Starts everything from nothing and waits until all nodes are ready.</summary>
    /// <param name="images">Archives that every node imports, besides those of <see cref="KubeImages.Own"/>.</param>
    /// <exception cref="LabException">A prerequisite is missing, or a part did not come up; the message has the ends of the logs.</exception>
    public static async Task<KubeCluster> StartAsync(Lab lab, string cluster, IReadOnlyList<string> images, CancellationToken cancellationToken)
    {
        RequirePrograms();
        string[] all = [.. KubeImages.Own, .. images];
        var api = PrivateKubeApi.Prepare(ApiOptions(lab, cluster));
        var starting = new KubeCluster(lab, cluster, api);
        try
        {
            // Nodes boot and import their images while the API server starts.
            var boots = starting.FirstNodes.Select(node =>
            {
                node.Write(api, all);
                return node.PowerOnAsync(cancellationToken);
            }).ToList();
            await Task.WhenAll([.. boots, api.StartServersAsync(cancellationToken)]);
            await starting.Client.CoreV1.CreateNamespacedConfigMapAsync(KubeadmConfig.Of(starting.Topology.Spec), "kube-system", cancellationToken: cancellationToken);
            foreach (var node in starting.FirstNodes)
            {
                await starting.RegisterAsync(node, cancellationToken);
            }

            await starting.UntilReadyAsync(StartLimit, cancellationToken);
            return starting;
        }
        catch
        {
            await starting.DisposeAsync();
            throw;
        }
    }

    /// <summary>As <see cref="StartAsync"/>, all clusters of the lab that have kubelets, at once, with <see cref="EchoWorkload"/> a pod of it for every node.</summary>
    public static Task StartAllAsync(Lab lab, IReadOnlyList<string> images, CancellationToken cancellationToken) =>
        Task.WhenAll(lab.Spec.Clusters.Where(c => c.Kubelets > 0).Select(async spec =>
        {
            await using var cluster = await StartAsync(lab, spec.Name, images, cancellationToken);
            await EchoWorkload.RunAsync(cluster, EchoWorkload.DemoNamespace, spec.Kubelets - spec.SpareKubelets, cancellationToken);
        }));

    /// <summary>One that is up already, whoever started it.</summary>
    public static KubeCluster Attach(Lab lab, string cluster) => new(lab, cluster, PrivateKubeApi.Attach(ApiOptions(lab, cluster)));

    /// <summary>Makes a machine that stood to spare a node of the running cluster, with the images that the others have.</summary>
    public async Task AddNodeAsync(KubeNode node, CancellationToken cancellationToken)
    {
        node.Write(_api, Nodes[0].Images());
        await node.PowerOnAsync(cancellationToken);
        await RegisterAsync(node, cancellationToken);
        await UntilReadyAsync(StartLimit, cancellationToken);
    }

    /// <summary>Waits until every node that is switched on is ready and pods can be made.</summary>
    /// <exception cref="LabException">Not in time; the message has the ends of the logs.</exception>
    public async Task UntilReadyAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            await Until.TrueAsync(() => IsReadyAsync(cancellationToken), limit, $"the nodes of {Name} to be ready", cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new LabException($"{e.Message}\n{Logs()}");
        }
    }

    /// <summary>The ends of the logs of all nodes.</summary>
    public string Logs() => string.Join('\n', Nodes.Select(n => n.Logs()));

    /// <summary>The administrator's, for kubectl on this machine; works as long as this object lives.</summary>
    public string WriteLocalKubeconfig()
    {
        var file = Path.Combine(Path.GetDirectoryName(Kubeconfig)!, "local.kubeconfig");
        KubeCertificates.WriteSecret(file, LocalKubeconfig);
        return file;
    }

    string LocalKubeconfig => _api.KubeconfigOf("admin", $"https://127.0.0.1:{_relay.Port}");

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _relay.DisposeAsync();
    }

    static PrivateKubeApiOptions ApiOptions(Lab lab, string cluster)
    {
        var (spec, host) = (lab.Topology.Cluster(cluster).Spec, lab.Topology[$"{cluster}-api"]);
        return new PrivateKubeApiOptions(Path.Combine(lab.Directory, "kubernetes", cluster))
        {
            Address = host.Address!,
            Port = LabAddresses.KubeApiPort,
            PodCidr = spec.PodCidr,
            Kubelets = [.. Enumerable.Range(1, spec.Kubelets).Select(n => lab.Topology[$"{cluster}-n{n}"]).Select(h => new Kubelet(h.Name, h.Address!))],
            CommandPrefix = [lab.OnScript, host.Name],
        };
    }

    KubernetesClientConfiguration Configuration()
    {
        using var text = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(LocalKubeconfig));
        return KubernetesClientConfiguration.BuildConfigFromConfigFile(text);
    }

    IEnumerable<KubeNode> FirstNodes => Nodes.Take(Topology.Spec.Kubelets - Topology.Spec.SpareKubelets);

    // What the provider's controller says of a machine, said beforehand: so a node's pod CIDR does not depend on which kubelet is faster.
    async Task RegisterAsync(KubeNode node, CancellationToken cancellationToken)
    {
        var spec = Topology.Spec;
        await Client.CreateNodeAsync(
            new NodeObject(node.Name)
            {
                Ready = false,
                Addresses = [node.Host.Address!.ToString()],
                PodCidrs = [Topology.PodCidr(node.Number).ToString()],
                ProviderId = spec.Provider.Length > 0 ? $"{spec.Provider}:///lab/{node.Name}" : null,
                Labels = new Dictionary<string, string> { ["topology.kubernetes.io/region"] = spec.Region.Length > 0 ? spec.Region : "lab" },
            },
            cancellationToken);
        node.Registered();
    }

    async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        if (Nodes.FirstOrDefault(n => n.IsBroken) is { } broken)
        {
            throw new LabException($"{broken.Name} did not boot\n{broken.Logs()}");
        }

        var nodes = await Client.CoreV1.ListNodeAsync(cancellationToken: cancellationToken);
        var on = Nodes.Where(n => n.IsOn).Select(n => n.Name).ToList();
        var ready = nodes.Items.Where(n => n.Status.Conditions.Any(c => c is { Type: "Ready", Status: "True" }) && n.Spec.Taints is not { Count: > 0 }).Select(n => n.Metadata.Name).ToHashSet(StringComparer.Ordinal);
        if (!on.All(ready.Contains))
        {
            return false;
        }

        var accounts = await Client.CoreV1.ListNamespacedServiceAccountAsync("default", cancellationToken: cancellationToken);
        return accounts.Items.Any(a => a.Metadata.Name == "default" && a.Secrets is { Count: > 0 });
    }

    static void RequirePrograms()
    {
        foreach (var program in new[] { "/usr/bin/containerd", "/usr/sbin/runc", "/usr/sbin/iptables", "/usr/sbin/conntrack", Path.Combine(NodeFiles.Plugins, "bridge") })
        {
            if (!File.Exists(program))
            {
                throw new LabException($"{program} is missing: run deploy/scripts/install-packages.sh kubernetes");
            }
        }
    }
}
