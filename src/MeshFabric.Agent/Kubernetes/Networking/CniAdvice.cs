using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>What a person must know of plug-ins that are recognised but whose data path has not been tried with ours. docs/compatibility.md says it at length. Pure.</summary>
static class CniAdvice
{
    public static IEnumerable<Finding> Of(DataPath path, ServiceProxy proxy)
    {
        var advice = path.Plugin switch
        {
            CniPlugin.Cilium => "Keep Cilium off our devices (devices: eth+), and add the mesh's CIDRs to nonMasqueradeCIDRs of ip-masq-agent or to ipv4-native-routing-cidr.",
            CniPlugin.AwsVpc => "Add the mesh's CIDRs to AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS of aws-node, and open the agents' UDP ports in the security groups.",
            CniPlugin.Azure => "Add the mesh's CIDRs to nonMasqueradeCIDRs in a ConfigMap of azure-ip-masq-agent, and open the agents' UDP ports in the network security group.",
            CniPlugin.Gke => "Add the mesh's CIDRs to nonMasqueradeCIDRs of ip-masq-agent, and open the agents' UDP ports in the VPC's firewall; with Dataplane V2 see Cilium.",
            CniPlugin.Calico when proxy is { Name: "calico" } => "The gateways keep a disabled IPPool for each CIDR of the mesh; name our devices in bpfL3IfacePattern of the FelixConfiguration (^(mf|meshx).*).",
            _ => null,
        };
        if (advice is not null)
        {
            var name = proxy.Name == "calico" ? "calico with eBPF" : path.Plugin;
            yield return new Finding(FindingSeverity.Warning, "cni-not-tested", "networking", $"The data path of {name} is recognised, but has not been tested with the mesh's.", advice);
        }
    }

    /// <summary>True where pods have addresses of the cloud's own network.</summary>
    public static bool TakesCloudAddresses(string plugin) => plugin is CniPlugin.AwsVpc or CniPlugin.Azure;
}
