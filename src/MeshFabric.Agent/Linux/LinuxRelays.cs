using System.Text;
using MeshFabric.Agent.Ports;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>Relays as an nft table of their own. Packets are neither read nor tracked: their addresses and ports are rewritten, and the kernel forwards them.</summary>
/// <remarks>
/// Where a peer is now, its own packets teach the kernel, port by port, and only those from the address that our tunnel to it has; so a relay goes on while no agent runs, and follows
/// a NAT that changes its mind about ports. A map's element keeps its value for as long as it is refreshed, and a rule that deletes it leaves it counted for ever (nft_set_hash.c), so
/// each port has six places: who is in none takes a free one, the one that was heard of lately is sent to, and whoever is silent loses its place.
/// The sender's address becomes ours only behind the routing: before, the kernel would take it for forged.
/// </remarks>
public sealed class LinuxRelays(TimeProvider time) : IRelays
{
    public const string Table = "meshfabric-relay";

    // A peer asks by each of its relays every five seconds; its tunnel, without an agent, says something every 25.
    const string Lifetime = "30s";

    // A place is free once all that it holds is gone for certain: what is still there would keep its value.
    const string Taken = "31s";

    // By a tunnel that is in use there are probes every second.
    const string Lately = "2s";

    static readonly int[] Places = [1, 2, 3, 4, 5, 6];

    static readonly TimeSpan Check = TimeSpan.FromSeconds(10);

    readonly NftTable _table = new(Table, learns: true);
    string? _applied;
    long _checkedAt;

    public async Task ApplyAsync(ValueList<RelayPort> ports, CancellationToken cancellationToken)
    {
        if (ports.Count == 0)
        {
            if (_applied != "")
            {
                await RemoveAsync(cancellationToken);
            }

            return;
        }

        var script = Script(ports);
        if (script == _applied && time.GetElapsedTime(_checkedAt) < Check)
        {
            return;
        }

        // Until it is known to be in place.
        _applied = null;
        if (!await _table.IsInPlaceAsync(script, cancellationToken))
        {
            await _table.ApplyAsync(script, cancellationToken);
        }

        (_applied, _checkedAt) = (script, time.GetTimestamp());
    }

    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await _table.RemoveAsync(cancellationToken);
        _applied = "";
    }

    /// <summary>One transaction that leaves what was learned. Pure.</summary>
    public static string Script(ValueList<RelayPort> ports)
    {
        var text = new StringBuilder($"add table inet {Table}\n");
        Replace(text, "map twins", "type inet_service : inet_service", ports.Select(p => $"{p.Port} : {p.Twin}"));
        // A header field is only set from a map or a constant.
        Replace(text, "map ports", "type inet_service : inet_service", ports.Select(p => $"{p.Port} : {p.Port}"));
        Replace(text, "map owns", "type inet_service : ipv4_addr", ports.Select(p => $"{p.Port} : {p.Own}"));
        Replace(text, "set peers", "type ipv4_addr . inet_service", ports.Select(p => $"{p.Peer} . {p.Port}"));
        foreach (var place in Places)
        {
            Learned(text, $"map addresses{place}", "inet_service : ipv4_addr", Lifetime);
            Learned(text, $"map sources{place}", "inet_service : inet_service", Lifetime);
            Learned(text, $"set tuples{place}", "inet_service . ipv4_addr . inet_service", Lifetime);
            Learned(text, $"set taken{place}", "inet_service", Taken);
            Learned(text, $"set active{place}", "inet_service", Lately);
        }

        text.Append($"add counter inet {Table} relayed\n");
        Chain(text, "send", "",
        [
            "notrack",
            "udp dport set udp dport map @twins",
            "udp sport set udp dport map @ports",
            .. Places.Select(p => $"udp dport @active{p} {To(p)}"),
            .. Places.Select(To),
            // Where the twin's peer was not heard of there is nobody to send to.
            "drop",
        ]);
        foreach (var place in Places)
        {
            Chain(text, $"place{place}", "",
                $"update @tuples{place} {{ udp dport . ip saddr . udp sport }} update @taken{place} {{ udp dport }} update @active{place} {{ udp dport }}",
                $"update @addresses{place} {{ udp dport : ip saddr }} update @sources{place} {{ udp dport : udp sport }} goto send");
        }

        Chain(text, "relay", "",
        [
            .. Places.Select(p => $"udp dport . ip saddr . udp sport @tuples{p} goto place{p}"),
            .. Places.Select(p => $"udp dport != @taken{p} goto place{p}"),
            "goto send",
        ]);
        Chain(text, "prerouting", "type filter hook prerouting priority -310; policy accept;", "fib daddr type local ip saddr . udp dport @peers jump relay");
        Chain(text, "postrouting", "type filter hook postrouting priority 300; policy accept;", [.. Places.Select(p => $"udp sport . ip daddr . udp dport @tuples{p} ip saddr set udp sport map @owns")]);
        return text.ToString();
    }

    static string To(int place) => $"ip daddr set udp dport map @addresses{place} udp dport set udp dport map @sources{place} counter name relayed accept";

    static void Learned(StringBuilder text, string what, string type, string lifetime) =>
        text.Append($"add {what.Replace(" ", $" inet {Table} ", StringComparison.Ordinal)} {{ type {type}; flags dynamic, timeout; timeout {lifetime}; size 4096; }}\n");

    static void Replace(StringBuilder text, string what, string type, IEnumerable<string> elements)
    {
        var (kind, name) = (what[..what.IndexOf(' ')], what[(what.IndexOf(' ') + 1)..]);
        text.Append($"add {kind} inet {Table} {name} {{ {type}; }}\n");
        text.Append($"flush {kind} inet {Table} {name}\n");
        text.Append($"add element inet {Table} {name} {{ {string.Join(", ", elements)} }}\n");
    }

    static void Chain(StringBuilder text, string name, string hook, params string[] rules)
    {
        text.Append($"add chain inet {Table} {name} {(hook.Length > 0 ? $"{{ {hook} }}" : "")}\nflush chain inet {Table} {name}\n");
        foreach (var rule in rules)
        {
            text.Append($"add rule inet {Table} {name} {rule}\n");
        }
    }
}
