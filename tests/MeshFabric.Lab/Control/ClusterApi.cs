using k8s;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Lab.Control;

/// <summary>A real API server, etcd and controller manager for one cluster of the lab, on its first worker, with the objects that kubeadm and the kubelets would have made.</summary>
public static class ClusterApi
{
    const int Port = 6443;

    /// <returns>The administrator's kubeconfig, which works on the cluster's own hosts.</returns>
    public static async Task<string> StartAsync(Lab lab, string cluster, CancellationToken cancellationToken)
    {
        var topology = lab.Topology.Cluster(cluster);
        var worker = lab.Topology[$"{cluster}-w1"];
        var options = new PrivateKubeApiOptions(Path.Combine(lab.Directory, "kubernetes", cluster))
        {
            Address = worker.Address!,
            Port = Port,
            PodCidr = topology.Spec.PodCidr,
            CommandPrefix = [lab.OnScript, worker.Name],
        };
        var api = await PrivateKubeApi.StartAsync(options, cancellationToken);
        await using var relay = NamespaceRelay.Start(worker, worker.Address!, Port, listenPort: 0);
        var configuration = KubernetesClientConfiguration.BuildConfigFromConfigFile(api.Kubeconfig);
        configuration.Host = $"https://127.0.0.1:{relay.Port}";
        // The certificate is for the server's address in the lab; the way there is our own.
        configuration.SkipTlsVerify = true;
        using var client = new k8s.Kubernetes(configuration);
        await client.CoreV1.CreateNamespacedConfigMapAsync(KubeadmConfig.Of(topology.Spec), "kube-system", cancellationToken: cancellationToken);
        foreach (var host in lab.Topology.Hosts.Where(h => h.Cluster == cluster && h.Role is HostRole.Gateway or HostRole.Worker && h.Cluster == cluster))
        {
            await client.CreateNodeAsync(Node(topology, host), cancellationToken);
        }

        return api.Kubeconfig;
    }

    static NodeObject Node(ClusterTopology cluster, LabHost host) => new(host.ShortName)
    {
        Addresses = [host.Role == HostRole.Worker ? host.Address!.ToString() : LabTopology.At(cluster.Lan, 10 + int.Parse(host.ShortName[2..], System.Globalization.CultureInfo.InvariantCulture)).ToString()],
        ProviderId = cluster.Spec.Provider.Length > 0 ? $"{cluster.Spec.Provider}:///lab/{host.ShortName}" : null,
        Labels = new Dictionary<string, string> { ["topology.kubernetes.io/region"] = cluster.Spec.Region.Length > 0 ? cluster.Spec.Region : "lab" },
    };
}
