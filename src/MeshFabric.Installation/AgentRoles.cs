using k8s.Models;

namespace MeshFabric.Installation;

/// <summary>What the agents may do in the cluster's API, and nothing more. docs/kubernetes-inventory.md says what each rule is for.</summary>
public static class AgentRoles
{
    /// <summary>Of the CNI plug-ins and of kubeadm. They differ in their namespaces, so the rule is for the whole cluster, by name.</summary>
    static readonly string[] ConfigMaps = ["kubeadm-config", "kube-proxy", "kube-flannel-cfg", "canal-config", "calico-config", "cilium-config"];

    /// <summary>In the whole cluster.</summary>
    public static IList<V1PolicyRule> InCluster() =>
    [
        Rule("", ["nodes"], "list", "watch"),
        Rule("", ["pods"], "list"),
        Rule("apps", ["daemonsets"], "list"),
        Named("", ["configmaps"], ConfigMaps, "get"),
        Rule("networking.k8s.io", ["servicecidrs"], "list"),
        Rule("crd.projectcalico.org", ["ippools"], "list", "create", "delete"),
        Rule("crd.projectcalico.org", ["blockaffinities"], "list"),
        Rule("crd.projectcalico.org", ["felixconfigurations"], "get"),
        Rule("operator.tigera.io", ["installations"], "get"),
        Rule(InstallationNames.Group, [InstallationNames.Gateways], "list", "watch", "create", "update", "delete"),
        Rule(InstallationNames.Group, [InstallationNames.Nodes], "list", "watch", "create", "update"),
    ];

    /// <summary>In the agents' own namespace: the gateway slots. No Services: with an external IP of its own choice whoever makes one draws the traffic of others to him.</summary>
    public static IList<V1PolicyRule> InNamespace() =>
    [
        Rule("coordination.k8s.io", ["leases"], "list", "create", "update"),
    ];

    static V1PolicyRule Rule(string group, string[] resources, params string[] verbs) => new() { ApiGroups = [group], Resources = resources, Verbs = verbs };

    static V1PolicyRule Named(string group, string[] resources, string[] names, params string[] verbs) => new() { ApiGroups = [group], Resources = resources, ResourceNames = names, Verbs = verbs };
}
