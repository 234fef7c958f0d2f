using k8s.Models;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Net;

namespace MeshFabric.Tests.Agent.Kubernetes;

/// <summary>What is made of a snapshot, without any API.</summary>
public sealed class KubernetesInventoryFromTests
{
    static readonly ClusterSettings Bare = new("v1.33.1", []);

    [Theory]
    [InlineData("10.1.0.0/24 10.1.1.0/24", "10.1.0.0/23")]
    [InlineData("10.1.0.0/24 10.1.1.0/24 10.1.2.0/24", "10.1.0.0/22")]
    [InlineData("10.1.0.0/24 10.1.2.0/24", "10.1.0.0/24 10.1.2.0/24")]
    [InlineData("10.1.255.0/24 10.2.0.0/24", "10.1.255.0/24 10.2.0.0/24")]
    [InlineData("10.1.0.0/24 10.1.0.0/25", "10.1.0.0/24")]
    [InlineData("fd00:1::/64 10.1.0.0/24 fd00:1:0:1::/64", "10.1.0.0/24 fd00:1::/63")]
    public void Node_prefixes_are_covered_only_when_they_were_cut_from_one(string nodes, string expected)
    {
        var seen = KubernetesInventory.From(new KubernetesSnapshot(nodes.Split(' ').Select((c, i) => Node($"n{i}", c)).ToList(), Bare));
        Assert.Equal(expected, string.Join(' ', seen.Inventory.PodCidrs));
        Assert.Equal("the nodes' podCIDRs", seen.PodCidrSource);
        Assert.Empty(seen.Warnings);
    }

    [Fact]
    public void The_first_source_that_names_pod_cidrs_wins()
    {
        var all = Bare with
        {
            KubeadmConfig = ["networking:\n  dnsDomain: cluster.local\n  podSubnet: 10.20.0.0/16,fd00:20::/56\n  serviceSubnet: 10.96.0.0/12\n"],
            ProxyConfig = ["clusterCIDR: \"10.40.0.0/16\""],
        };
        var withFlag = all with { SystemPods = [Pod("kcm", "kube-controller-manager", "sh", "-c", "exec kube-controller-manager --cluster-cidr 10.30.0.0/16 --v=2")] };
        V1Node[] nodes = [Node("n1", "10.50.0.0/24")];
        Assert.Equal(("[10.20.0.0/16, fd00:20::/56]", "kubeadm-config"), Pods(nodes, withFlag));
        Assert.Equal(("[10.30.0.0/16]", "kube-controller-manager --cluster-cidr"), Pods(nodes, withFlag with { KubeadmConfig = [] }));
        Assert.Equal(("[10.40.0.0/16]", "kube-proxy clusterCIDR"), Pods(nodes, all with { KubeadmConfig = [] }));
        Assert.Equal(("[10.50.0.0/24]", "the nodes' podCIDRs"), Pods(nodes, Bare));
        var configured = KubernetesInventory.From(new KubernetesSnapshot(nodes, withFlag) { ConfiguredPodCidrs = [Cidr.Parse("10.60.0.0/16")] });
        Assert.Equal(("[10.60.0.0/16]", "configuration"), (configured.Inventory.PodCidrs.ToString(), configured.PodCidrSource));
    }

    [Fact]
    public void Service_cidrs_come_from_objects_before_flags_and_host_bits_mean_the_network()
    {
        var settings = Bare with
        {
            ServiceCidrObjects = ["10.97.0.0/16", "10.96.0.1/16"],
            SystemPods = [Pod("api", "kube-apiserver", "kube-apiserver", "--service-cluster-ip-range=10.98.0.0/16")],
            ProbedServiceCidr = "10.99.0.0/16",
        };
        Assert.Equal("[10.96.0.0/16, 10.97.0.0/16]", Services(settings));
        Assert.Equal("[10.98.0.0/16]", Services(settings with { ServiceCidrObjects = [] }));
        Assert.Equal("[10.99.0.0/16]", Services(settings with { ServiceCidrObjects = [], SystemPods = [] }));
        var configured = KubernetesInventory.From(new KubernetesSnapshot([Node("n1", "10.50.0.0/24")], settings) { ConfiguredServiceCidrs = [Cidr.Parse("10.60.0.0/16")] });
        Assert.Equal(("[10.60.0.0/16]", "configuration"), (configured.Inventory.ServiceCidrs.ToString(), configured.ServiceCidrSource));
    }

    [Fact]
    public void A_pod_outside_the_pod_cidrs_is_a_warning_and_a_host_network_pod_is_not()
    {
        V1Node[] nodes = [Node("n1", "10.1.0.0/24")];
        var inside = Running(Pod("coredns", "dns"), "10.1.0.9", false);
        var host = Running(Pod("proxy", "kube-proxy"), "172.31.1.20", true);
        Assert.Empty(KubernetesInventory.From(new KubernetesSnapshot(nodes, Bare with { SystemPods = [inside, host] })).Warnings);
        var stray = Running(Pod("coredns-2", "dns"), "192.168.0.9", false);
        var warning = Assert.Single(KubernetesInventory.From(new KubernetesSnapshot(nodes, Bare with { SystemPods = [inside, host, stray] })).Warnings);
        Assert.Contains("kube-system/coredns-2 has the address 192.168.0.9", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Place_is_what_most_nodes_say_and_a_zone_only_what_all_say()
    {
        var a = Node("a", "10.1.0.0/24");
        a.Spec.ProviderID = "gce://project/europe-west1-b/a";
        a.Metadata.Labels = new Dictionary<string, string> { ["failure-domain.beta.kubernetes.io/region"] = "europe-west1", ["topology.kubernetes.io/zone"] = "b", ["meshfabric.io/env"] = "prod" };
        var b = Node("b", "10.1.1.0/24");
        b.Metadata.Labels = new Dictionary<string, string> { ["cloud.google.com/gke-nodepool"] = "p", ["topology.kubernetes.io/zone"] = "c", ["meshfabric.io/env"] = "prod", ["other"] = "x" };
        var inventory = KubernetesInventory.From(new KubernetesSnapshot([b, a], Bare)).Inventory;
        Assert.Equal(("gce", "europe-west1", ""), (inventory.Location.Provider, inventory.Location.Region, inventory.Location.Zone));
        Assert.Equal(["a", "b"], inventory.Nodes.Select(n => n.Name));
        Assert.Equal(("env", "prod"), inventory.Labels is [var label] ? (label.Key, label.Value) : default);
    }

    [Fact]
    public void Without_any_pod_cidr_the_warning_says_what_to_give() =>
        Assert.Contains("--pod-cidr", Assert.Single(KubernetesInventory.From(new KubernetesSnapshot([Node("n", "")], Bare)).Warnings), StringComparison.Ordinal);

    static (string Cidrs, string Source) Pods(V1Node[] nodes, ClusterSettings settings)
    {
        var seen = KubernetesInventory.From(new KubernetesSnapshot(nodes, settings));
        return (seen.Inventory.PodCidrs.ToString(), seen.PodCidrSource);
    }

    static string Services(ClusterSettings settings) => KubernetesInventory.From(new KubernetesSnapshot([], settings)).Inventory.ServiceCidrs.ToString();

    static V1Node Node(string name, string podCidr) => new() { Metadata = new V1ObjectMeta { Name = name }, Spec = new V1NodeSpec { PodCIDR = podCidr } };

    static V1Pod Pod(string name, string component, params string[] command) => new()
    {
        Metadata = new V1ObjectMeta { Name = name, Labels = new Dictionary<string, string> { ["component"] = component } },
        Spec = new V1PodSpec { Containers = [new V1Container { Name = "c", Command = command }] },
    };

    static V1Pod Running(V1Pod pod, string address, bool hostNetwork)
    {
        pod.Spec.HostNetwork = hostNetwork;
        pod.Status = new V1PodStatus { Phase = "Running", PodIP = address };
        return pod;
    }
}
