using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>Reads what a CNI plug-in and kube-proxy leave on a Linux node.</summary>
public sealed partial class LinuxNodeObserver : INodeObserver
{
    const string WeaveSet = "weaver-no-masq-local";

    // Weave Net's daemon on its node.
    static readonly Uri WeaveReport = new("http://127.0.0.1:6784/report");

    // Ends of pods, and Services' addresses, which are the node's only in name.
    static readonly string[] PodLinks = ["veth", "cali", "lxc", "eni", "azv", "gke", "vethwepl", "tap"];
    const string IpvsLink = "kube-ipvs0";

    /// <summary>iptables chains that tell whose rules are here.</summary>
    static readonly HashSet<string> KnownChains = new(StringComparer.Ordinal)
    {
        "FLANNEL-POSTRTG", "FLANNEL-FWD", "cali-FORWARD", "cali-POSTROUTING", "WEAVE", "WEAVE-NPC", "KUBE-SERVICES", "KUBE-ROUTER-FORWARD", "KUBE-NWPLCY-DEFAULT",
        "KIND-MASQ-AGENT", "IP-MASQ", "IP-MASQ-AGENT", "AWS-SNAT-CHAIN-0", "CNI-FORWARD", "CILIUM_FORWARD", "CILIUM_POST_nat", "SWIFT-POSTROUTING", "AZURE-NPM", "DOCKER-USER",
    };

    static readonly HashSet<string> IptablesTables = new(StringComparer.Ordinal) { "filter", "nat", "mangle", "raw", "security" };

    readonly string _root;
    readonly INodeQueries _queries;

    /// <param name="root">Folder that stands for the host's file system.</param>
    public LinuxNodeObserver(string root = "/") : this(root, new LinuxNodeQueries())
    {
    }

    internal LinuxNodeObserver(string root, INodeQueries queries)
    {
        _root = root;
        _queries = queries;
    }

    public async Task<NodeObservation> ObserveAsync(CancellationToken cancellationToken)
    {
        var unread = new List<string>();
        var links = _queries.Links();
        var (backends, chains, tables) = await RulesAsync(cancellationToken);
        var weave = links.Any(l => l.Name == "weave") ? await WeaveAsync(cancellationToken) : default;
        return new NodeObservation
        {
            CniConfigs = CniConfigFiles.Read(_root, unread),
            Links = links.Where(IsOwn).Select(l => l.Name == IpvsLink ? l with { Addresses = [] } : l).OrderBy(l => l.Name, StringComparer.Ordinal).ToValueList(),
            Flannel = ReadFlannel(unread),
            WeaveNetwork = weave.Network ?? [],
            WeaveRanges = weave.Ranges ?? [],
            CalicoBlocks = _queries.CalicoBlocks().Distinct().Order().ToValueList(),
            IptablesBackends = backends,
            Chains = chains,
            NftTables = tables,
            ProxyMode = tables.Any(t => t.EndsWith(" kube-proxy", StringComparison.Ordinal)) ? "nftables"
                : links.Any(l => l.Name == IpvsLink) ? "ipvs"
                : chains.Contains("KUBE-SERVICES") ? "iptables" : "",
            Unread = unread.ToValueList(),
        };
    }

    static bool IsOwn(NodeLink link) => link.Name != "lo"
        && !PodLinks.Any(p => link.Name.StartsWith(p, StringComparison.Ordinal) && !link.Name.StartsWith("vethwe-", StringComparison.Ordinal))
        && !TunnelName().IsMatch(link.Name) && !link.Name.StartsWith(NodePlanner.OverlayPrefix, StringComparison.Ordinal);

    FlannelSubnet? ReadFlannel(List<string> unread)
    {
        var file = Path.Combine(_root, "run/flannel/subnet.env");
        try
        {
            if (!File.Exists(file))
            {
                return null;
            }

            var values = File.ReadAllLines(file).Select(l => l.Split('=', 2)).Where(p => p.Length == 2).GroupBy(p => p[0].Trim()).ToDictionary(g => g.Key, g => g.Last()[1].Trim());
            ValueList<Cidr> Of(params string[] names) => names.SelectMany(n => ClusterCidrs.ParseList(values.GetValueOrDefault(n, ""))).Distinct().Order().ToValueList();
            var subnet = new FlannelSubnet(Of("FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK"), Of("FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET"), int.TryParse(values.GetValueOrDefault("FLANNEL_MTU"), out var mtu) ? mtu : 0);
            if (subnet.Subnets.Count == 0)
            {
                unread.Add("Flannel's subnet.env names no FLANNEL_SUBNET");
                return null;
            }

            return subnet;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            unread.Add($"Flannel's subnet.env cannot be read: {e.Message}");
            return null;
        }
    }

    /// <summary>The set that this node's ranges are in exists with Kubernetes unless NO_MASQ_LOCAL is switched off; the daemon knows them anyway.</summary>
    async Task<(ValueList<Cidr>? Network, ValueList<Cidr>? Ranges)> WeaveAsync(CancellationToken cancellationToken)
    {
        var (network, ranges) = ReadReport(await _queries.GetAsync(WeaveReport, cancellationToken));
        var set = await _queries.RunAsync("ipset", ["save", WeaveSet], cancellationToken);
        var members = (set ?? "").Split('\n').Select(l => l.Split(' ')).Where(p => p is ["add", WeaveSet, ..]).SelectMany(p => ClusterCidrs.ParseList(p[2])).Distinct().Order().ToValueList();
        return (network, members.Count > 0 ? members : ranges);
    }

    static (ValueList<Cidr> Network, ValueList<Cidr> Ranges) ReadReport(string? report)
    {
        try
        {
            var root = report is null ? null : JsonNode.Parse(report);
            var own = Text(root?["Router"]?["Name"]);
            var entries = (root?["IPAM"]?["Entries"] as JsonArray ?? []).OfType<JsonObject>().Where(e => own.Length > 0 && Text(e["Peer"]) == own);
            return (ClusterCidrs.ParseList(Text(root?["IPAM"]?["Range"])).ToValueList(), entries.SelectMany(Prefixes).Distinct().Order().ToValueList());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Another daemon's answer.
            return ([], []);
        }
    }

    // A range of the ring is a first address and a size, not a prefix.
    static IEnumerable<Cidr> Prefixes(JsonObject entry)
    {
        if (!IPAddress.TryParse(Text(entry["Token"]), out var first) || first.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork
            || entry["Size"] is not JsonValue value || !value.TryGetValue(out uint size))
        {
            yield break;
        }

        var (next, left) = ((ulong)IPBits.FromAddress(first), (ulong)size);
        while (left > 0)
        {
            var bits = Math.Min(next == 0 ? 32 : System.Numerics.BitOperations.TrailingZeroCount(next), System.Numerics.BitOperations.Log2(left));
            yield return Cidr.OfBits(first.AddressFamily, next, 32 - bits);
            next += 1UL << bits;
            left -= 1UL << bits;
        }
    }

    async Task<(ValueList<string> Backends, ValueList<string> Chains, ValueList<string> Tables)> RulesAsync(CancellationToken cancellationToken)
    {
        var backends = new SortedSet<string>(StringComparer.Ordinal);
        var chains = new SortedSet<string>(StringComparer.Ordinal);
        var tables = new SortedSet<string>(StringComparer.Ordinal);
        // Chains without their rules: a node may have thousands of those.
        foreach (Match table in NftTableText().Matches(await _queries.RunAsync("nft", ["list", "chains"], cancellationToken) ?? ""))
        {
            var (family, name) = (table.Groups["family"].Value, table.Groups["name"].Value);
            if (family is "ip" or "ip6" && IptablesTables.Contains(name))
            {
                backends.Add("nft");
                chains.UnionWith(NftChain().Matches(table.Value).Select(m => m.Groups["name"].Value).Where(KnownChains.Contains));
            }
            else if (!name.StartsWith("meshfabric", StringComparison.Ordinal))
            {
                tables.Add($"{family} {name}");
            }
        }

        foreach (var (names, program) in new[] { ("proc/net/ip_tables_names", "iptables-legacy-save"), ("proc/net/ip6_tables_names", "ip6tables-legacy-save") })
        {
            // Asking for a table that is not there would make it.
            foreach (var table in Lines(Path.Combine(_root, names)))
            {
                var saved = await _queries.RunAsync(program, ["-t", table], cancellationToken) ?? "";
                if (saved.Contains("\n-A ", StringComparison.Ordinal))
                {
                    backends.Add("legacy");
                }

                chains.UnionWith(LegacyChain().Matches(saved).Select(m => m.Groups["name"].Value).Where(KnownChains.Contains));
            }
        }

        return (backends.ToValueList(), chains.ToValueList(), tables.ToValueList());
    }

    static string[] Lines(string file)
    {
        try
        {
            return File.Exists(file) ? File.ReadAllLines(file) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    static string Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : "";

    [GeneratedRegex("^mf[0-9]+$")]
    private static partial Regex TunnelName();

    [GeneratedRegex("""^table (?<family>\S+) (?<name>\S+) \{.*?^\}""", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex NftTableText();

    [GeneratedRegex("""^\s+chain (?<name>\S+) \{""", RegexOptions.Multiline)]
    private static partial Regex NftChain();

    [GeneratedRegex("""^:(?<name>\S+) """, RegexOptions.Multiline)]
    private static partial Regex LegacyChain();
}
