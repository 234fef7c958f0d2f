using System.Net;
using System.Net.Sockets;
using k8s.Models;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Lab.Cni;

/// <summary>Pods, Services and kube-proxy of a cluster with a CNI plug-in.</summary>
static class CniServices
{
    const string Http = "http";
    const string Mirror = "mirror";
    const string Echo = "echo";

    public static string ProxyProgram => Path.Combine(
        Environment.GetEnvironmentVariable("MESHFABRIC_CACHE") is { Length: > 0 } cache ? cache : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "meshfabric"),
        "kubernetes", "bin", "kube-proxy");

    public static V1DaemonSet ProxyDaemonSet => CniObjects.DaemonSet("kube-system", "kube-proxy", ("k8s-app", "kube-proxy"), CniObjects.Container("kube-proxy", "k8s.gcr.io/kube-proxy:v1.20.2"));

    public static V1ConfigMap Kubeadm(ClusterSpec spec, string serviceCidr) => CniObjects.ConfigMap(
        "kube-system", "kubeadm-config",
        ("ClusterConfiguration", $"apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nnetworking:\n  podSubnet: {string.Join(',', new[] { spec.PodCidr, spec.PodCidr6 }.OfType<string>())}\n  serviceSubnet: {serviceCidr}\n"));

    public static V1Pod Pod(LabHost host, CniNode node) => new()
    {
        Metadata = new V1ObjectMeta { Name = host.ShortName, NamespaceProperty = "default", Labels = new Dictionary<string, string> { ["app"] = Echo } },
        Spec = new V1PodSpec { NodeName = node.Host.ShortName, Containers = [CniObjects.Container(Echo, "lab.local/echo:1")] },
    };

    public static V1Service Service(string name, string address, int? nodePort, bool local) => new()
    {
        Metadata = new V1ObjectMeta { Name = name },
        Spec = new V1ServiceSpec
        {
            ClusterIP = address,
            IpFamilies = IPAddress.Parse(address).AddressFamily == AddressFamily.InterNetwork ? null : ["IPv6"],
            Type = nodePort is null ? "ClusterIP" : "NodePort",
            ExternalTrafficPolicy = nodePort is null ? null : local ? "Local" : "Cluster",
            Ports =
            [
                new V1ServicePort { Name = Http, Port = PodServers.HttpPort, TargetPort = PodServers.HttpPort, Protocol = "TCP", NodePort = nodePort },
                new V1ServicePort { Name = Mirror, Port = PodServers.HttpPort, TargetPort = PodServers.HttpPort, Protocol = "UDP" },
                new V1ServicePort { Name = Echo, Port = PodServers.EchoPort, TargetPort = PodServers.EchoPort, Protocol = "UDP" },
            ],
        },
    };

    public static string SliceName(string service) => service + "-1";

    /// <param name="nodes">Names of the nodes of the cluster's own pods; a pod of another cluster has none.</param>
    public static V1EndpointSlice Slice(string service, IReadOnlyCollection<IPAddress> endpoints, Dictionary<IPAddress, string> nodes) => new()
    {
        AddressType = endpoints.All(e => e.AddressFamily == AddressFamily.InterNetwork) ? "IPv4" : "IPv6",
        Metadata = new V1ObjectMeta { Name = SliceName(service), Labels = new Dictionary<string, string> { ["kubernetes.io/service-name"] = service } },
        Endpoints = [.. endpoints.Select(e => new V1Endpoint { Addresses = [e.ToString()], Conditions = new V1EndpointConditions { Ready = true }, NodeName = nodes.GetValueOrDefault(e) })],
        Ports =
        [
            new Discoveryv1EndpointPort { Name = Http, Port = PodServers.HttpPort, Protocol = "TCP" },
            new Discoveryv1EndpointPort { Name = Mirror, Port = PodServers.HttpPort, Protocol = "UDP" },
            new Discoveryv1EndpointPort { Name = Echo, Port = PodServers.EchoPort, Protocol = "UDP" },
        ],
    };

    /// <remarks>A network namespace may not set conntrack's limits, and kube-proxy ends when it fails to: it is told to leave them alone.</remarks>
    public static string Proxy(CniCluster cluster, CniNode node, string kubeconfig, bool knowsPodCidr) => $$"""
        apiVersion: kubeproxy.config.k8s.io/v1alpha1
        kind: KubeProxyConfiguration
        mode: iptables
        hostnameOverride: {{node.Host.ShortName}}
        clientConnection: {kubeconfig: "{{kubeconfig}}"}
        clusterCIDR: "{{(knowsPodCidr ? string.Join(',', cluster.Networks) : "")}}"
        featureGates: {IPv6DualStack: {{(cluster.IsDualStack ? "true" : "false")}}}
        conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
        iptables: {minSyncPeriod: 0s, syncPeriod: 30s}

        """;
}
