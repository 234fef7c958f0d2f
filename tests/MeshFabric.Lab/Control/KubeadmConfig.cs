using k8s.Models;

namespace MeshFabric.Lab.Control;

/// <summary>The ConfigMap that kubeadm leaves in a cluster, with its CIDRs.</summary>
static class KubeadmConfig
{
    public static V1ConfigMap Of(ClusterSpec spec) => new()
    {
        Metadata = new V1ObjectMeta { Name = "kubeadm-config" },
        Data = new Dictionary<string, string>
        {
            ["ClusterConfiguration"] = $"apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nnetworking:\n  podSubnet: {string.Join(',', new[] { spec.PodCidr, spec.PodCidr6 }.OfType<string>())}\n  serviceSubnet: 10.96.0.0/16\n",
        },
    };
}
