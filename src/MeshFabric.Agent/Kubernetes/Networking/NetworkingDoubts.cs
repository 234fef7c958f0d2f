using System.Net;
using k8s.Models;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>Where what was read contradicts itself, and what a person must know of a plug-in. Pure.</summary>
static class NetworkingDoubts
{
    const string Cluster = "networking";
    const string Firewalld = "inet firewalld";

    public static IEnumerable<Finding> Of(
        KubernetesSnapshot snapshot, IReadOnlyDictionary<string, NodeObservation> observations, DataPath path, ServiceProxy proxy, ValueList<Cidr> pods, string podSource) =>
    [
        .. snapshot.Settings.Warnings.Select(w => Warning("inventory-incomplete", Cluster, Sentence(w), "")),
        .. OfNodes(snapshot, observations, path),
        .. OfNetwork(snapshot, observations, path),
        .. OfAddresses(snapshot, path, pods, podSource),
        .. UnusedPodCidrs(snapshot, path, pods),
        .. CniAdvice.Of(path, proxy),
    ];

    static IEnumerable<Finding> OfNodes(KubernetesSnapshot snapshot, IReadOnlyDictionary<string, NodeObservation> observations, DataPath path)
    {
        var api = DataPathDetection.FromApi(snapshot);
        foreach (var (node, seen) in observations)
        {
            var subject = $"node/{node}";
            if (NodeCni.PluginOf(seen) is { } plugin)
            {
                var type = seen.InForce?.Plugins[0];
                if (plugin == CniPlugin.Unknown)
                {
                    yield return Warning("cni-unknown", subject, $"{node} uses the CNI plug-in '{type}', which is not known here.", "Its nodes' podCIDRs are taken for its pods' addresses; give the true ones with --pod-cidr if that is wrong.");
                }
                else if (api.Plugin != CniPlugin.Unknown && !DataPathDetection.Agree(api.Plugin, plugin) && !(api.Plugin == CniPlugin.Flannel && plugin == CniPlugin.Canal))
                {
                    yield return Warning("cni-node-contradicts-api", subject, $"{node} uses {plugin} ({(seen.InForce is { } c ? $"CNI configuration {c.File}" : "by its links")}), while the API shows {api.Plugin} ({api.Source}); the node is believed.", "Finish the change of the CNI plug-in: remove what is left of the other one from the API or the node.");
                }
                else if (!DataPathDetection.Agree(path.Plugin, plugin))
                {
                    yield return Warning("cni-nodes-differ", subject, $"{node} uses {plugin}, while most nodes use {path.Plugin}.", "Finish the change of the CNI plug-in on this node.");
                }
            }

            if (seen.CniConfigs is { Count: > 1 } configs && seen.InForce is { } inForce && configs.Count(c => !c.IsMultiplexer) > 1)
            {
                yield return Warning("cni-several-configs", subject, $"{node} has several CNI configurations; {inForce.File} is the first by name and in force, not {string.Join(", ", configs.Where(c => c != inForce && !c.IsMultiplexer).Select(c => c.File))}.", "Remove those that a former plug-in left in /etc/cni/net.d.");
            }

            if (seen.NftTables.Contains(Firewalld))
            {
                yield return Warning("node-firewall", subject, $"firewalld judges what {node} lets in and forwards, and the mesh's rules do not change that.", "Let UDP 7710 to 7716 in from the other nodes, UDP 51820 to 51828 on gateways and leaves, and trust the devices mf+ and meshx+: firewall-cmd --permanent --zone=trusted --add-interface=meshx0 (mf0, ...); or switch firewalld off, as most CNI plug-ins ask for.");
            }

            foreach (var text in seen.Unread)
            {
                yield return Warning("node-unreadable", subject, Sentence(text), "");
            }
        }
    }

    static IEnumerable<Finding> OfNetwork(KubernetesSnapshot snapshot, IReadOnlyDictionary<string, NodeObservation> observations, DataPath path)
    {
        var (api, source) = CniCidrs.InApi(path.Plugin, snapshot.Settings.Cni);
        if (api.Count == 0)
        {
            yield break;
        }

        foreach (var (node, seen) in observations)
        {
            var own = NodeCni.NetworkOf(seen);
            if (own.Count > 0 && !own.Equals(api))
            {
                yield return Warning("cni-network-contradicts-api", $"node/{node}", $"{node} uses {List(own)} for pods, while {source} says {List(api)}; the nodes are believed.", "Restart the plug-in's pods so that all nodes have its present configuration; pods keep their addresses until they are made anew.");
            }
        }
    }

    static IEnumerable<Finding> OfAddresses(KubernetesSnapshot snapshot, DataPath path, ValueList<Cidr> pods, string source)
    {
        if (pods.Count == 0)
        {
            yield return CniAdvice.TakesCloudAddresses(path.Plugin)
                ? Warning("pod-cidrs-unknown", Cluster, "No pod CIDR was found: pods have addresses of the cloud's network, which Kubernetes does not tell.", "Give the subnets that pods are in with --pod-cidr.")
                : Warning("pod-cidrs-unknown", Cluster, "No pod CIDR was found: neither the CNI plug-in, kubeadm-config, kube-controller-manager, kube-proxy nor the nodes name one.", "Give it with --pod-cidr.");
            yield break;
        }

        // The controller manager fills podCIDR even where the CNI plug-in takes its addresses from elsewhere.
        var stray = snapshot.Settings.SystemPods.Concat(snapshot.Settings.Cni.SomePods)
            .Where(p => p.Spec?.HostNetwork != true && p.Status?.Phase == "Running")
            .SelectMany(p => Addresses(p).Select(a => (Name: $"{p.Metadata.NamespaceProperty ?? "kube-system"}/{p.Metadata.Name}", Address: a)))
            // A family that no source tells of is not joined to the mesh, which is no contradiction.
            .Where(p => pods.Any(c => c.Family == p.Address.AddressFamily) && !pods.Any(c => c.Contains(p.Address)))
            .OrderBy(p => p.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        if (stray.Name is not null)
        {
            yield return Warning("pod-address-outside", Cluster, $"Pod {stray.Name} has the address {stray.Address}, which is not in {List(pods)} (from {source}): the CNI plug-in uses other prefixes.", "Give them with --pod-cidr.");
        }
    }

    static IEnumerable<Finding> UnusedPodCidrs(KubernetesSnapshot snapshot, DataPath path, ValueList<Cidr> pods)
    {
        var outside = snapshot.Nodes.SelectMany(ClusterCidrs.OfNode).Where(c => pods.Count > 0 && !pods.Any(p => p.Overlaps(c))).ToList();
        if (outside.Count > 0 && (path.Plugin is CniPlugin.Bridge or CniPlugin.Ptp || !CniCidrs.UsesPodCidrs(path.Plugin, snapshot.Settings.Cni)))
        {
            yield return Warning("pod-cidr-unused", Cluster, $"The nodes' podCIDRs ({List(ClusterCidrs.Cover(outside))}) are not used by {path.Plugin} and are not joined to the mesh.", "Nothing needs doing; start kube-controller-manager with --allocate-node-cidrs=false to have them gone.");
        }
    }

    static IEnumerable<IPAddress> Addresses(V1Pod pod) =>
        (pod.Status?.PodIPs is { Count: > 0 } several ? several.Select(i => i.Ip) : [pod.Status?.PodIP ?? ""])
            .Select(t => IPAddress.TryParse(t, out var address) ? address : null).OfType<IPAddress>();

    static string List(ValueList<Cidr> cidrs) => string.Join(", ", cidrs);

    static string Sentence(string text) => string.Concat(text[..1].ToUpperInvariant(), text.AsSpan(1), text.EndsWith('.') ? "" : ".");

    static Finding Warning(string code, string subject, string message, string hint) => new(FindingSeverity.Warning, code, subject, message, hint);
}
