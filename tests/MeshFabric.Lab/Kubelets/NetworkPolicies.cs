using System.Globalization;
using System.Text;
using k8s;
using k8s.Models;

namespace MeshFabric.Lab.Kubelets;

/// <summary>A stand-in for a policy engine where no real one can run: writes a cluster's NetworkPolicies (networking.k8s.io/v1) as iptables rules, laid out as kube-router's.</summary>
/// <remarks>
/// By hand, each time it is asked. One chain for each pod that a policy selects; what no rule of a policy accepts is dropped. It knows ipBlock, podSelector by
/// labels in the policy's own namespace, and both directions; nothing of ports, exceptions and namespaces.
/// </remarks>
public static class NetworkPolicies
{
    public const string Chain = "KUBE-ROUTER-FORWARD";

    /// <summary>Makes every node's rules those of the policies that are in the API now.</summary>
    public static async Task EnforceAsync(Lab lab, KubeCluster cluster, CancellationToken cancellationToken)
    {
        var policies = (await cluster.Client.NetworkingV1.ListNetworkPolicyForAllNamespacesAsync(cancellationToken: cancellationToken)).Items;
        var pods = (await cluster.Client.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: cancellationToken)).Items.Where(p => p.Spec.HostNetwork != true && p.Status.PodIP is { Length: > 0 }).ToList();
        foreach (var node in cluster.Nodes.Where(n => n.IsOn))
        {
            await lab.ShellAsync(node.Name, Script(policies, pods, node.Name), cancellationToken);
        }
    }

    /// <summary>Takes all of it away.</summary>
    public static async Task RemoveAsync(Lab lab, KubeCluster cluster, CancellationToken cancellationToken)
    {
        foreach (var node in cluster.Nodes.Where(n => n.IsOn))
        {
            await lab.ShellAsync(node.Name, $"iptables -D FORWARD -j {Chain} || true; chains=$(iptables-save -t filter | sed -n -E 's/^:({Chain}|KUBE-POD-FW-[^ ]*).*/\\1/p'); for c in $chains; do iptables -F $c; done; for c in $chains; do iptables -X $c; done", cancellationToken);
        }
    }

    /// <summary>Pure.</summary>
    public static string Script(IEnumerable<V1NetworkPolicy> policies, IReadOnlyCollection<V1Pod> pods, string node)
    {
        var all = policies.ToList();
        var (chains, rules) = (new StringBuilder(), new StringBuilder());
        var number = 0;
        foreach (var pod in pods.Where(p => p.Spec.NodeName == node))
        {
            var own = all.Where(p => p.Metadata.NamespaceProperty == pod.Metadata.NamespaceProperty && Matches(p.Spec.PodSelector, pod)).ToList();
            if (own.Count == 0)
            {
                continue;
            }

            var chain = string.Create(CultureInfo.InvariantCulture, $"KUBE-POD-FW-{number++}");
            chains.Append(CultureInfo.InvariantCulture, $":{chain} - [0:0]\n");
            rules.Append(CultureInfo.InvariantCulture, $"-A {Chain} -d {pod.Status.PodIP} -j {chain}\n-A {Chain} -s {pod.Status.PodIP} -j {chain}\n-A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n");
            Direct(rules, chain, own, "Ingress", $"-d {pod.Status.PodIP}", "-s", p => (p.Spec.Ingress ?? []).SelectMany(r => r.FromProperty ?? []), pods);
            Direct(rules, chain, own, "Egress", $"-s {pod.Status.PodIP}", "-d", p => (p.Spec.Egress ?? []).SelectMany(r => r.To ?? []), pods);
        }

        return $"iptables-restore --noflush <<'END'\n*filter\n:{Chain} - [0:0]\n{chains}{rules}COMMIT\nEND\niptables -C FORWARD -j {Chain} 2>/dev/null || iptables -I FORWARD 1 -j {Chain}";
    }

    static void Direct(StringBuilder rules, string chain, List<V1NetworkPolicy> policies, string direction, string self, string other, Func<V1NetworkPolicy, IEnumerable<V1NetworkPolicyPeer>> peers, IReadOnlyCollection<V1Pod> pods)
    {
        var isolating = policies.Where(p => p.Spec.PolicyTypes?.Contains(direction) == true).ToList();
        if (isolating.Count == 0)
        {
            return;
        }

        var accepted = isolating.SelectMany(p => peers(p).SelectMany(peer => peer.IpBlock is { } block
            ? [block.Cidr]
            : pods.Where(x => x.Metadata.NamespaceProperty == p.Metadata.NamespaceProperty && Matches(peer.PodSelector, x)).Select(x => x.Status.PodIP)));
        foreach (var address in accepted.Distinct())
        {
            rules.Append(CultureInfo.InvariantCulture, $"-A {chain} {self} {other} {address} -j RETURN\n");
        }

        rules.Append(CultureInfo.InvariantCulture, $"-A {chain} {self} -j DROP\n");
    }

    static bool Matches(V1LabelSelector? selector, V1Pod pod) =>
        (selector?.MatchLabels ?? new Dictionary<string, string>()).All(l => pod.Metadata.Labels is { } labels && labels.TryGetValue(l.Key, out var value) && value == l.Value);
}
