using k8s.Models;

namespace MeshFabric.Installation;

/// <summary>What the agents may do in the cluster's API, and nothing more. docs/kubernetes-inventory.md says what each rule is for.</summary>
public static class AgentRoles
{
    /// <summary>Of the CNI plug-ins and of kubeadm. They differ in their namespaces, so the rule is for the whole cluster, by name.</summary>
    static readonly string[] ConfigMaps = ["kubeadm-config", "kube-proxy", "kube-flannel-cfg", "canal-config", "calico-config", "cilium-config", "weave-net", "aws-node", "ip-masq-agent"];

    /// <summary>In the whole cluster.</summary>
    public static IList<V1PolicyRule> InCluster() =>
    [
        Rule("", ["nodes"], "get", "list", "watch"),
        Rule("", ["pods"], "list", "watch"),
        Rule("apps", ["daemonsets"], "list"),
        Named("", ["configmaps"], ConfigMaps, "get"),
        Rule("networking.k8s.io", ["servicecidrs"], "list"),
        Rule("crd.projectcalico.org", ["ippools"], "get", "list", "create", "delete"),
        Rule("crd.projectcalico.org", ["blockaffinities"], "list"),
        Rule("crd.projectcalico.org", ["felixconfigurations"], "get"),
        Rule("operator.tigera.io", ["installations"], "get"),
        Rule(InstallationNames.Group, [InstallationNames.Gateways, InstallationNames.Nodes], "get", "list", "watch", "create", "update", "patch", "delete"),
    ];

    /// <summary>In the agents' own namespace: the gateway slots, and the Service that asks for the Service CIDR.</summary>
    public static IList<V1PolicyRule> InNamespace() =>
    [
        Rule("coordination.k8s.io", ["leases"], "get", "list", "watch", "create", "update", "delete"),
        Rule("", ["services"], "create", "delete"),
    ];

    static V1PolicyRule Rule(string group, string[] resources, params string[] verbs) => new() { ApiGroups = [group], Resources = resources, Verbs = verbs };

    static V1PolicyRule Named(string group, string[] resources, string[] names, params string[] verbs) => new() { ApiGroups = [group], Resources = resources, ResourceNames = names, Verbs = verbs };
}
