using System.Text;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>Writes our table as one nft transaction. Pure.</summary>
/// <remarks>
/// Translation is stateless, so that any gateway can carry any packet of a flow. Untranslated prefixes get an identity source NAT one priority before
/// everybody's masquerading: the first NAT chain that binds a mapping wins, an accept would not help. One rule a line: nft 1.0.6 refuses less.
/// </remarks>
public static class Nftables
{
    public const string Table = "meshfabric";

    // IPv4 header and TCP header; IPv6 has 20 bytes more.
    const int TcpOverhead4 = 40;
    const int TcpOverhead6 = 60;

    /// <summary>Replaces the table whole: created if missing, deleted, created anew, in one transaction.</summary>
    public static string Replace(FirewallConfig config, int mtu)
    {
        var text = new StringBuilder();
        text.Append($"add table inet {Table}\n").Append($"delete table inet {Table}\n").Append($"table inet {Table} {{\n");
        Set(text, "local4", config.LocalPrefixes.Where(c => c.IsIPv4));
        Set(text, "local6", config.LocalPrefixes.Where(c => !c.IsIPv4), v6: true);
        Set(text, "remote4", config.RemotePrefixes.Where(c => c.IsIPv4));
        Set(text, "remote6", config.RemotePrefixes.Where(c => !c.IsIPv4), v6: true);
        Chain(text, "prerouting", "type filter hook prerouting priority raw; policy accept;", Incoming(config));
        Chain(text, "outgoing", "type filter hook prerouting priority -301; policy accept;", Untracked(config));
        Chain(text, "forward", "type filter hook forward priority mangle; policy accept;", Clamp(mtu));
        Chain(text, "exempt", "type nat hook postrouting priority 99; policy accept;", Exempt(config));
        Chain(text, "postrouting", "type filter hook postrouting priority 300; policy accept;", Outgoing(config));
        return text.Append("}\n").ToString();
    }

    public static string Remove() => $"add table inet {Table}\ndelete table inet {Table}\n";

    static IEnumerable<string> Incoming(FirewallConfig config)
    {
        foreach (var t in config.Translations)
        {
            var ip = Family(t.Local);
            yield return $"iifname \"mf*\" {ip} daddr {t.Outside} notrack {ip} daddr set {ip} daddr & {HostMask(t.Local)} | {t.Local.Address}";
        }

        // Whoever speaks through a tunnel speaks for a remote prefix, nothing else.
        yield return "iifname \"mf*\" ip saddr != @remote4 drop";
        yield return "iifname \"mf*\" ip6 saddr != @remote6 drop";
    }

    static IEnumerable<string> Untracked(FirewallConfig config) => config.Translations.Select(t =>
        $"iifname != \"mf*\" {Family(t.Local)} saddr {t.Local} {Family(t.Local)} daddr {Destinations(t)} notrack");

    static IEnumerable<string> Outgoing(FirewallConfig config) => config.Translations.Select(t =>
    {
        var ip = Family(t.Local);
        return $"oifname \"mf*\" {ip} saddr {t.Local} {ip} daddr {Destinations(t)} {ip} saddr set {ip} saddr & {HostMask(t.Local)} | {t.Outside.Address}";
    });

    static IEnumerable<string> Clamp(int mtu)
    {
        yield return $"oifname \"mf*\" meta nfproto ipv4 tcp flags syn tcp option maxseg size set {mtu - TcpOverhead4}";
        yield return $"iifname \"mf*\" meta nfproto ipv4 tcp flags syn tcp option maxseg size set {mtu - TcpOverhead4}";
        yield return $"oifname \"mf*\" meta nfproto ipv6 tcp flags syn tcp option maxseg size set {mtu - TcpOverhead6}";
        yield return $"iifname \"mf*\" meta nfproto ipv6 tcp flags syn tcp option maxseg size set {mtu - TcpOverhead6}";
    }

    // kube-proxy's mark 0x4000 is cleared too: it would be inherited by the outer packet and masquerade that.
    static IEnumerable<string> Exempt(FirewallConfig config)
    {
        foreach (var c in config.LocalPrefixes)
        {
            var (ip, set) = (Family(c), c.IsIPv4 ? "remote4" : "remote6");
            yield return $"{ip} saddr {c} {ip} daddr @{set} meta mark set meta mark and 0xffffbfff snat {ip} prefix to {ip} saddr map {{ {c} : {c} }}";
        }

        foreach (var c in config.RemotePrefixes)
        {
            var (ip, set) = (Family(c), c.IsIPv4 ? "local4" : "local6");
            yield return $"{ip} saddr {c} {ip} daddr @{set} meta mark set meta mark and 0xffffbfff snat {ip} prefix to {ip} saddr map {{ {c} : {c} }}";
        }
    }

    static string Destinations(Translation t) => t.Destinations.Count == 0 ? (t.Local.IsIPv4 ? "@remote4" : "@remote6") : $"{{ {string.Join(", ", t.Destinations)} }}";

    static string Family(Cidr cidr) => cidr.IsIPv4 ? "ip" : "ip6";

    static string HostMask(Cidr cidr)
    {
        var bits = cidr.Length == cidr.MaxLength ? UInt128.Zero : (UInt128.One << (cidr.MaxLength - cidr.Length)) - UInt128.One;
        return IPBits.ToAddress(bits, cidr.Family).ToString();
    }

    static void Set(StringBuilder text, string name, IEnumerable<Cidr> cidrs, bool v6 = false)
    {
        var elements = cidrs.Order().ToList();
        text.Append($"  set {name} {{\n    type {(v6 ? "ipv6_addr" : "ipv4_addr")}; flags interval;\n");
        if (elements.Count > 0)
        {
            text.Append($"    elements = {{ {string.Join(", ", elements)} }}\n");
        }

        text.Append("  }\n");
    }

    static void Chain(StringBuilder text, string name, string hook, IEnumerable<string> rules)
    {
        text.Append($"  chain {name} {{\n    {hook}\n");
        foreach (var rule in rules)
        {
            text.Append($"    {rule}\n");
        }

        text.Append("  }\n");
    }
}
