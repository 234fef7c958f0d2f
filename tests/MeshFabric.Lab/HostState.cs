namespace MeshFabric.Lab;

/// <summary>What a program may have changed in a host's network: links, addresses, routes, rules, neighbours, rulesets, sets, settings. Sorted lines, without counters, empty tables, what is random and what a device has learned.</summary>
public static class HostState
{
    const string Script = """
        {
          ip -o link | sed -E 's/^[0-9]+: //; s/ state [A-Z]*//; s/@[^ ]*:/:/; s/link-netns [^ ]*//; s/([0-9a-f]{2}:){5}[0-9a-f]{2}/MAC/g' | sed 's/^/link /'
          ip -o addr | sed -E 's/^[0-9]+: //; s/(valid|preferred)_lft [a-z0-9]+//g; s/fe80::[0-9a-f:]+/fe80::/' | sed 's/^/addr /'
          { ip -o route show table all; ip -o -6 route show table all; } | sed -E 's/ expires [0-9]+sec//' | sed 's/^/route /'
          { ip rule; ip -6 rule; } | sed 's/^/rule /'
          ip neigh show nud permanent | sed 's/^/neigh /'
          bridge fdb | grep ' dst .*permanent' | sed 's/^/fdb /'
          nft -s list ruleset 2>/dev/null | grep -v '^[# ]*$' | awk '
            # In the base chains the order counts too: whoever jumps first judges first. Others write theirs anew in any order.
            # The brace that ends a table would count as the end of its last chain.
            /^}/{ next }
            /^table /{ table = $2 " " $3; name = "" } /^\t(chain|set|map) /{ name = $2; place = 0 }
            name ~ /^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/ { print "nft " table " " name " " place++ " " $0; next }
            { print "nft " table " " name " " $0 }'
          ipset save 2>/dev/null | sed -E 's/ (hashsize|bucketsize|initval|maxelem) [0-9a-fx]+//g; s/^/ipset /'
          { iptables-legacy-save; ip6tables-legacy-save; } 2>/dev/null | grep -E '^-A|^:.*(DROP| - )' | sed 's/ \[.*//' | sed 's/^/legacy /'
          for f in /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv[46]/fib_multipath_hash_policy /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/forwarding /proc/sys/net/ipv6/conf/*/forwarding; do echo "sysctl $f $(cat $f)"; done
        } | sed -E 's/veth[0-9a-f]{8}/veth#/g; s/fe80::[0-9a-f:]+/fe80::/g' | sort
        """;

    public static async Task<IReadOnlyList<string>> ReadAsync(Lab lab, string host, CancellationToken cancellationToken) =>
        (await lab.ShellAsync(host, Script, cancellationToken)).Split('\n');

    /// <summary>Lines that came (+) and went (-).</summary>
    public static IReadOnlyList<string> Difference(IReadOnlyList<string> before, IReadOnlyList<string> after)
    {
        var (was, now) = (before.CountBy(l => l).ToDictionary(), after.CountBy(l => l).ToDictionary());
        return
        [
            .. was.Where(l => now.GetValueOrDefault(l.Key) < l.Value).Select(l => "- " + l.Key),
            .. now.Where(l => was.GetValueOrDefault(l.Key) < l.Value).Select(l => "+ " + l.Key),
        ];
    }
}
