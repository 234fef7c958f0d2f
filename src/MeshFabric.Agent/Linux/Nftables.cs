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

    /// <summary>Replaces the table whole: created if missing, deleted, created anew, in one transaction.</summary>
    /// <param name="isNode">The host has a node's table too: that one knows which pods are here and must be tracked, for they ask Services and are judged by policies, and which only pass.</param>
    public static string Replace(FirewallConfig config, bool isNode = false)
    {
        var text = new StringBuilder();
        text.Append($"add table inet {Table}\n").Append($"delete table inet {Table}\n").Append($"table inet {Table} {{\n");
        NftText.Set(text, "local4", config.LocalPrefixes.Where(c => c.IsIPv4));
        NftText.Set(text, "local6", config.LocalPrefixes.Where(c => !c.IsIPv4), v6: true);
        NftText.Set(text, "remote4", config.RemotePrefixes.Where(c => c.IsIPv4));
        NftText.Set(text, "remote6", config.RemotePrefixes.Where(c => !c.IsIPv4), v6: true);
        NftText.Chain(text, "prerouting", "type filter hook prerouting priority raw; policy accept;", Incoming(config, isNode));
        NftText.Chain(text, "input", "type filter hook input priority filter; policy accept;", config.IsDrained ? config.TunnelAddresses.Select(Unanswered) : []);
        if (config.Transits)
        {
            // Both ends of what it hands on may be peers of one device, which is no network where they could talk to each other.
            NftText.Chain(text, "output", "type filter hook output priority filter; policy accept;", ["oifname \"mf*\" icmp type redirect drop", "oifname \"mf*\" icmpv6 type nd-redirect drop"]);
        }

        NftText.Chain(text, "outgoing", "type filter hook prerouting priority -301; policy accept;", isNode ? [] : Untracked(config));
        NftText.Chain(text, "forward", "type filter hook forward priority mangle; policy accept;", Unserved(config).Concat(Clamp));
        NftText.Chain(text, "exempt", "type nat hook postrouting priority 99; policy accept;", NftText.Exempt(config.LocalPrefixes, config.RemotePrefixes).Concat(Outsiders(config)));
        NftText.Chain(text, "postrouting", "type filter hook postrouting priority 300; policy accept;", Outgoing(config));
        return text.Append("}\n").ToString();
    }

    static IEnumerable<string> Incoming(FirewallConfig config, bool isNode)
    {
        foreach (var t in config.Translations)
        {
            var ip = NftText.Family(t.Local);
            yield return $"iifname \"mf*\" {ip} daddr {t.Outside}{(t.Services || isNode ? "" : " notrack")} {ip} daddr set {ip} daddr & {HostMask(t.Local)} | {t.Local.Address}";
        }

        // Whoever speaks through a tunnel speaks for a remote prefix, nothing else.
        yield return "iifname \"mf*\" ip saddr != @remote4 drop";
        yield return "iifname \"mf*\" ip6 saddr != @remote6 drop";
        if (config.Transits)
        {
            // What only passes may come back by another hub: connection tracking would find the half of it that it sees invalid.
            yield return "iifname \"mf*\" ip daddr @remote4 notrack";
            yield return "iifname \"mf*\" ip6 daddr @remote6 notrack";
        }
    }

    // A ClusterIP that the service proxy did not translate is nobody's: without this it would leave by the host's default route.
    static IEnumerable<string> Unserved(FirewallConfig config) => config.ServicePrefixes.Select(p => $"iifname \"mf*\" {NftText.Family(p)} daddr {p} reject");

    static string Unanswered(Cidr address) => address.IsIPv4
        ? $"iifname \"mf*\" ip daddr {address.Address} icmp type echo-request drop"
        : $"iifname \"mf*\" ip6 daddr {address.Address} icmpv6 type echo-request drop";

    static IEnumerable<string> Untracked(FirewallConfig config) => config.Translations.Where(t => !t.Services).Select(t =>
        $"iifname != \"mf*\" {NftText.Family(t.Local)} saddr {t.Local} {NftText.Family(t.Local)} daddr {Destinations(t)} notrack");

    static IEnumerable<string> Outgoing(FirewallConfig config) => config.Translations.Select(t =>
    {
        var ip = NftText.Family(t.Local);
        return $"oifname \"mf*\" {ip} saddr {t.Local} {ip} daddr {Destinations(t)} {ip} saddr set {ip} saddr & {HostMask(t.Local)} | {t.Outside.Address}";
    });

    // The smaller one of both directions' routes, whichever of them the packet takes: each path's own MTU is on its route.
    static readonly string[] Clamp =
    [
        "oifname \"mf*\" tcp flags syn tcp option maxseg size set rt mtu",
        "iifname \"mf*\" tcp flags syn tcp option maxseg size set rt mtu",
    ];

    // What neither the cluster nor the mesh knows (a node's own address, on its way through here) is answerable as this gateway.
    static IEnumerable<string> Outsiders(FirewallConfig config) => config.TunnelAddresses.Select(address =>
    {
        var (ip, version) = address.IsIPv4 ? ("ip", "4") : ("ip6", "6");
        return $"oifname \"mf*\" {ip} saddr != @local{version} {ip} saddr != @remote{version} {ip} daddr @remote{version} snat {ip} to {address.Address}";
    });

    static string Destinations(Translation t) => t.Destinations.Count == 0 ? (t.Local.IsIPv4 ? "@remote4" : "@remote6") : $"{{ {string.Join(", ", t.Destinations)} }}";

    static string HostMask(Cidr cidr)
    {
        var bits = cidr.Length == cidr.MaxLength ? UInt128.Zero : (UInt128.One << (cidr.MaxLength - cidr.Length)) - UInt128.One;
        return IPBits.ToAddress(bits, cidr.Family).ToString();
    }
}
