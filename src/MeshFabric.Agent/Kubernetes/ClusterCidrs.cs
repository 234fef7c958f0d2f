using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using k8s.Models;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Finds a cluster's pod and Service CIDRs: the first source that has any wins.</summary>
static partial class ClusterCidrs
{
    /// <param name="plugin">One of <see cref="CniPlugin"/>: its own word comes before that of Kubernetes, and the nodes' before the API's.</param>
    public static (ValueList<Cidr> Cidrs, string Source) Pods(KubernetesSnapshot snapshot, string plugin, IReadOnlyDictionary<string, NodeObservation> observations)
    {
        var settings = snapshot.Settings;
        var perNode = CniCidrs.PerNode(snapshot.Nodes, observations);
        // Ranges in the nodes' files are what pods have, but a setting that covers all of a family also covers the next node's.
        ValueList<Cidr> Checked(ValueList<Cidr> cidrs) =>
            perNode.All(p => cidrs.Any(c => c.Contains(p)) || !cidrs.Any(c => c.Family == p.Family)) && cidrs.Count > 0
                ? Sorted([.. cidrs, .. perNode.Where(p => !cidrs.Any(c => c.Family == p.Family))])
                : [];
        var (own, ownSource) = CniCidrs.InApi(plugin, settings.Cni);
        return First(
            (() => snapshot.ConfiguredPodCidrs, "configuration"),
            (() => CniCidrs.OnNodes(plugin, observations), "the CNI plug-in on the nodes"),
            (() => own, ownSource),
            (() => Checked(Setting(settings.KubeadmConfig, "podSubnet")), "kubeadm-config"),
            (() => Checked(Flag(settings.SystemPods, "kube-controller-manager", "cluster-cidr")), "kube-controller-manager --cluster-cidr"),
            (() => Checked(Setting(settings.ProxyConfig, "clusterCIDR")), "kube-proxy clusterCIDR"),
            (() => Checked(Flag(settings.SystemPods, "kube-proxy", "cluster-cidr")), "kube-proxy --cluster-cidr"),
            (() => perNode, "the nodes' CNI configurations"),
            (() => CniCidrs.UsesPodCidrs(plugin, settings.Cni) ? Cover(snapshot.Nodes.SelectMany(OfNode)) : [], "the nodes' podCIDRs"));
    }

    public static (ValueList<Cidr> Cidrs, string Source) Services(KubernetesSnapshot snapshot) =>
        snapshot.ConfiguredServiceCidrs.Count > 0 ? (snapshot.ConfiguredServiceCidrs, "configuration") : Services(snapshot.Settings);

    public static (ValueList<Cidr> Cidrs, string Source) Services(ClusterSettings settings) => First(
        (() => Sorted(settings.ServiceCidrObjects.SelectMany(ParseList)), "ServiceCIDR objects"),
        (() => Flag(settings.SystemPods, "kube-apiserver", "service-cluster-ip-range"), "kube-apiserver --service-cluster-ip-range"),
        (() => Setting(settings.KubeadmConfig, "serviceSubnet"), "kubeadm-config"),
        (() => Sorted(ParseList(settings.ProbedServiceCidr ?? "")), "the API server's refusal of an address"));

    /// <summary>Both fields of a node say the same; old API servers only fill the singular one.</summary>
    public static ValueList<Cidr> OfNode(V1Node node) =>
        Sorted((node.Spec?.PodCIDRs is { Count: > 0 } several ? several : [node.Spec?.PodCIDR ?? ""]).SelectMany(ParseList));

    /// <summary>
    /// One covering prefix per family when the prefixes follow each other without a gap and fill at least half of it: then they were
    /// cut from it, and the next node's will come from it too. Otherwise exactly the prefixes, neighbours merged.
    /// </summary>
    public static ValueList<Cidr> Cover(IEnumerable<Cidr> prefixes) =>
        Sorted(prefixes.GroupBy(p => p.Family).SelectMany(family =>
        {
            var merged = Merge(family);
            var cover = merged.Aggregate(Join);
            var filled = merged.Aggregate(0d, (sum, p) => sum + Math.Pow(2, p.MaxLength - p.Length));
            var contiguous = merged.Zip(merged.Skip(1)).All(pair => IPBits.FromAddress(pair.First.LastAddress) + 1 == pair.Second.Bits);
            return contiguous && filled * 2 >= Math.Pow(2, cover.MaxLength - cover.Length) ? [cover] : merged;
        }));

    static List<Cidr> Merge(IEnumerable<Cidr> prefixes)
    {
        var result = new List<Cidr>();
        foreach (var prefix in prefixes.Order())
        {
            if (result.Count > 0 && result[^1].Contains(prefix))
            {
                continue;
            }

            result.Add(prefix);
            // Two halves of one prefix become it, and so perhaps a half of the next larger one.
            while (result.Count > 1 && result[^1].Length == result[^2].Length && Join(result[^2], result[^1]).Length == result[^1].Length - 1)
            {
                var whole = Join(result[^2], result[^1]);
                result.RemoveRange(result.Count - 2, 2);
                result.Add(whole);
            }
        }

        return result;
    }

    static Cidr Join(Cidr a, Cidr b)
    {
        var length = Math.Min(a.Length, b.Length);
        while (Cidr.OfBits(a.Family, a.Bits, length) != Cidr.OfBits(b.Family, b.Bits, length))
        {
            length--;
        }

        return Cidr.OfBits(a.Family, a.Bits, length);
    }

    static (ValueList<Cidr> Cidrs, string Source) First(params (Func<ValueList<Cidr>> Read, string Source)[] sources)
    {
        foreach (var (read, source) in sources)
        {
            if (read() is { Count: > 0 } cidrs)
            {
                return (cidrs, source);
            }
        }

        return (ValueList<Cidr>.Empty, "");
    }

    /// <summary><c>key: a,b</c> in any of the documents, whatever is around it, as Calico reads it too.</summary>
    static ValueList<Cidr> Setting(IReadOnlyList<string> documents, string key) =>
        Sorted(documents.SelectMany(d => SettingPattern().Matches(d)).Where(m => m.Groups["key"].Value == key).SelectMany(m => ParseList(m.Groups["value"].Value)));

    /// <summary><c>--name=a,b</c> or <c>--name a,b</c>, in command or arguments, also inside <c>sh -c "..."</c>.</summary>
    static ValueList<Cidr> Flag(IReadOnlyList<V1Pod> pods, string component, string name) =>
        Sorted(pods.Where(p => IsComponent(p, component))
            .SelectMany(p => p.Spec?.Containers ?? [])
            .Select(c => string.Join(' ', [.. c.Command ?? [], .. c.Args ?? []]))
            .SelectMany(line => FlagPattern().Matches(line))
            .Where(m => m.Groups["name"].Value == name)
            .SelectMany(m => ParseList(m.Groups["value"].Value)));

    /// <summary>What kube-proxy takes for the cluster's pods; empty when it was told nothing.</summary>
    public static ValueList<Cidr> OfProxy(ClusterSettings settings) =>
        Setting(settings.ProxyConfig, "clusterCIDR") is { Count: > 0 } configured ? configured : Flag(settings.SystemPods, "kube-proxy", "cluster-cidr");

    public static bool IsComponent(V1Pod pod, string component) =>
        pod.Metadata?.Labels is { } labels
        && ((labels.TryGetValue("component", out var value) && value == component) || (labels.TryGetValue("k8s-app", out value) && value == component));

    /// <summary>Kubernetes accepts prefixes with host bits set; they mean the network. What is no prefix at all is passed over.</summary>
    public static IEnumerable<Cidr> ParseList(string text)
    {
        foreach (var word in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var parts = word.Split('/');
            if (parts.Length == 2 && IPAddress.TryParse(parts[0], out var address) && !address.IsIPv4MappedToIPv6
                && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                && length > 0 && length <= (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128))
            {
                yield return Cidr.Of(address, length);
            }
        }
    }

    public static ValueList<Cidr> Sorted(IEnumerable<Cidr> cidrs) => cidrs.Distinct().Order().ToValueList();

    [GeneratedRegex("""^\s*"?(?<key>podSubnet|serviceSubnet|clusterCIDR)"?\s*:\s*["']?(?<value>[0-9a-fA-F.:/,]+)""", RegexOptions.Multiline)]
    private static partial Regex SettingPattern();

    [GeneratedRegex("""--(?<name>cluster-cidr|service-cluster-ip-range)(=|\s+)["']?(?<value>[0-9a-fA-F.:/,]+)""")]
    private static partial Regex FlagPattern();
}
