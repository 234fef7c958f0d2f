using System.Text;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>The pieces that our nft tables are written from. One rule a line: nft 1.0.6 refuses less.</summary>
static class NftText
{
    public static void Set(StringBuilder text, string name, IEnumerable<Cidr> cidrs, bool v6 = false)
    {
        var elements = cidrs.Order().ToList();
        text.Append($"  set {name} {{\n    type {(v6 ? "ipv6_addr" : "ipv4_addr")}; flags interval;\n");
        if (elements.Count > 0)
        {
            text.Append($"    elements = {{ {string.Join(", ", elements)} }}\n");
        }

        text.Append("  }\n");
    }

    public static void Counters(StringBuilder text, IEnumerable<string> names)
    {
        foreach (var name in names)
        {
            text.Append($"  counter {name} {{\n  }}\n");
        }
    }

    public static void Chain(StringBuilder text, string name, string hook, IEnumerable<string> rules)
    {
        text.Append($"  chain {name} {{\n    {hook}\n");
        foreach (var rule in rules)
        {
            text.Append($"    {rule}\n");
        }

        text.Append("  }\n");
    }

    /// <summary>Binds the addresses of both sides to themselves, each towards the other. The sets local4, local6, remote4 and remote6 are in the same table.</summary>
    public static IEnumerable<string> Exempt(IEnumerable<Cidr> local, IEnumerable<Cidr> remote) =>
        local.Select(c => Identity(c, c.IsIPv4 ? "remote4" : "remote6")).Concat(remote.Select(c => Identity(c, c.IsIPv4 ? "local4" : "local6")));

    public static string Family(Cidr cidr) => cidr.IsIPv4 ? "ip" : "ip6";

    // kube-proxy's mark 0x4000 is cleared too: it would be inherited by the outer packet and masquerade that.
    static string Identity(Cidr c, string towards) =>
        $"{Family(c)} saddr {c} {Family(c)} daddr @{towards} meta mark set meta mark and 0xffffbfff snat {Family(c)} prefix to {Family(c)} saddr map {{ {c} : {c} }}";
}
