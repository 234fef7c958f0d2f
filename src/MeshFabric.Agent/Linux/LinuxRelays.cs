using System.Text;
using MeshFabric.Agent.Ports;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>Relays as an nft table of their own. Packets are neither read nor tracked: their addresses and ports are rewritten, and the kernel forwards them.</summary>
/// <remarks>
/// Where a peer is now, its own packets teach two maps in the kernel, port by port, and only those from the address that our tunnel to it has; so a relay goes on while no agent runs,
/// and follows a NAT that changes its mind about ports. The sender's address becomes ours only behind the routing: before,
/// the kernel would take it for forged.
/// </remarks>
public sealed class LinuxRelays(TimeProvider time) : IRelays
{
    public const string Table = "meshfabric-relay";

    // A peer asks by each of its relays at least every five seconds.
    const string Lifetime = "3m";

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
        text.Append($"add map inet {Table} addresses {{ type inet_service : ipv4_addr; flags dynamic, timeout; timeout {Lifetime}; size 4096; }}\n");
        text.Append($"add map inet {Table} sources {{ type inet_service : inet_service; flags dynamic, timeout; timeout {Lifetime}; size 4096; }}\n");
        text.Append($"add set inet {Table} flows {{ type inet_service . ipv4_addr . inet_service; flags dynamic, timeout; timeout {Lifetime}; size 16384; }}\n");
        text.Append($"add counter inet {Table} relayed\n");
        text.Append($"add set inet {Table} recent {{ type inet_service . ipv4_addr . inet_service; flags dynamic, timeout; timeout 1s; size 16384; }}\n");
        // An element that is there keeps its value, however often it is updated: what changed must go first.
        Chain(text, "learn", "",
            "delete @addresses { udp dport : ip saddr }",
            "delete @sources { udp dport : udp sport }",
            "update @addresses { udp dport : ip saddr }",
            "update @sources { udp dport : udp sport }",
            "update @flows { udp dport . ip saddr . udp sport }",
            "add @recent { udp dport . ip saddr . udp sport }");
        Chain(text, "relay", "",
            "udp dport . ip saddr . udp sport != @recent jump learn",
            "notrack",
            "udp dport set udp dport map @twins",
            "udp sport set udp dport map @ports",
            // Where the twin's peer was not heard of there is nobody to send to.
            "ip daddr set udp dport map @addresses udp dport set udp dport map @sources counter name relayed accept",
            "drop");
        Chain(text, "prerouting", "type filter hook prerouting priority -310; policy accept;", "fib daddr type local ip saddr . udp dport @peers jump relay");
        Chain(text, "postrouting", "type filter hook postrouting priority 300; policy accept;", "udp sport . ip daddr . udp dport @flows ip saddr set udp sport map @owns");
        return text.ToString();
    }

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
