using MeshFabric.Domain.Clusters;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>Who enforces NetworkPolicy in a cluster. Pure.</summary>
static class PolicyDetection
{
    // kindnetd has kube-network-policies built in since then; its tags begin with their day.
    const string KindnetSince = "v20240813";

    static readonly (string App, string Name)[] Apps =
    [
        ("canal", "calico"), ("calico-node", "calico"), ("cilium", "cilium"), ("kube-network-policies", "kube-network-policies"), ("kube-router", "kube-router"), ("azure-npm", "azure-npm"),
    ];

    // Engines without a DaemonSet of their own: k3s has kube-router's built in.
    static readonly (string Chain, string Name)[] Chains =
    [
        ("WEAVE-NPC", "weave-npc"), ("cali-FORWARD", "calico"), ("KUBE-ROUTER-FORWARD", "kube-router"), ("KUBE-NWPLCY-DEFAULT", "kube-router"), ("AZURE-NPM", "azure-npm"),
    ];

    public static PolicyEngine Of(CniSettings cni, DataPath path, IReadOnlyDictionary<string, NodeObservation> observations)
    {
        foreach (var (app, name) in Apps)
        {
            if (cni.OfApp(app) is { } set)
            {
                return new PolicyEngine(name, set.Describe());
            }
        }

        foreach (var (container, name) in new[] { ("weave-npc", "weave-npc"), ("aws-eks-nodeagent", "aws-network-policy-agent"), ("kube-network-policies", "kube-network-policies") })
        {
            if (cni.DaemonSets.FirstOrDefault(d => d.HasContainer(container)) is { } set)
            {
                return new PolicyEngine(name, $"{set.Describe()}, container {container}");
            }
        }

        if (path.Plugin == CniPlugin.Kindnet && string.CompareOrdinal(path.Version, KindnetSince) >= 0)
        {
            return new PolicyEngine("kube-network-policies", $"built into kindnet {path.Version}");
        }

        foreach (var (chain, name) in Chains)
        {
            if (observations.Values.Any(o => o.Chains.Contains(chain)))
            {
                return new PolicyEngine(name, $"chain {chain} on the nodes");
            }
        }

        // Calico and Cilium always enforce, also where only the nodes show them.
        return path.Plugin switch
        {
            CniPlugin.Calico or CniPlugin.Canal => new PolicyEngine("calico", path.Source),
            CniPlugin.Cilium => new PolicyEngine("cilium", path.Source),
            _ => cni.DaemonSets.Count > 0 || observations.Count > 0
                ? new PolicyEngine("none", cni.DaemonSets.Count > 0 ? "no DaemonSet of an engine" : "no chains of an engine on the nodes")
                : new PolicyEngine("unknown", ""),
        };
    }
}
