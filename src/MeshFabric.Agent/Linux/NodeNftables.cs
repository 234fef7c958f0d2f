using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>Writes a node's own table as one nft transaction. Pure.</summary>
/// <remarks>
/// Whoever masquerades pods towards the world (every CNI plug-in does, kube-proxy too) would hide them from the mesh. An accept in a table of ours does not help:
/// the next NAT chain masquerades all the same. The first NAT chain that binds a mapping wins, so each address is bound to itself, one priority before "srcnat".
/// kube-proxy's mark is taken off in the same rule, for the outer packet would inherit it and be masqueraded instead.
/// </remarks>
public static class NodeNftables
{
    public const string Table = "meshfabric-node";
    const string Unmark = "meta mark set meta mark and 0xffffbfff";

    /// <summary>Replaces the table whole: created if missing, deleted, created anew, in one transaction.</summary>
    public static string Replace(NodeFirewall config)
    {
        var text = new StringBuilder();
        text.Append($"add table inet {Table}\ndelete table inet {Table}\ntable inet {Table} {{\n");
        NftText.Set(text, "local4", config.LocalPrefixes.Where(c => c.IsIPv4));
        NftText.Set(text, "local6", config.LocalPrefixes.Where(c => !c.IsIPv4), v6: true);
        NftText.Set(text, "remote4", config.RemotePrefixes.Where(c => c.IsIPv4));
        NftText.Set(text, "remote6", config.RemotePrefixes.Where(c => !c.IsIPv4), v6: true);
        NftText.Counters(text, ["mesh_out", "mesh_in", "outside_out", "outside_in"]);
        NftText.Chain(text, "passing", "type filter hook prerouting priority -299; policy accept;", Passing(config));
        if (config.ReturnMarks.Count > 0 || config.TranslatesServices)
        {
            // After connection tracking, and before and after the service proxy's translation.
            NftText.Chain(text, "remembered", "type filter hook prerouting priority mangle; policy accept;", config.ReturnMarks.Count == 0 ? [] : config.ReturnMarks.SelectMany(Remembered).Prepend(Forgotten));
            NftText.Chain(text, "translated", "type filter hook prerouting priority -90; policy accept;", config.TranslatesServices ? [$"iifname \"mf*\" ct status dnat ct direction original {SetMark("meta", NodePlanner.TranslatedMark)}"] : []);
            // The outer packet would inherit it.
            NftText.Chain(text, "unmarked", "type filter hook postrouting priority 200; policy accept;", [$"oifname \"{NodePlanner.ServiceOverlayName}\" {SetMark("meta", 0)}"]);
        }

        // Last of all, for what was dropped is nobody's traffic.
        NftText.Chain(text, "counted", "type filter hook forward priority 300; policy accept;", [.. Counted("ip", "4"), .. Counted("ip6", "6")]);
        NftText.Chain(text, "exempt", "type nat hook postrouting priority 99; policy accept;", NftText.Exempt(config.LocalPrefixes, config.RemotePrefixes).Concat(HostNetwork(config)));
        return text.Append("}\n").ToString();
    }

    // After the gateway's table has put our own addresses in the place of those of the mesh (raw, -300), before connection tracking (-200).
    // On a gateway, what comes from one node's pods for the mesh, or back, is no business of this host's connection tracking: with several gateways it sees
    // one direction only, and a service proxy drops what it finds invalid.
    static IEnumerable<string> Passing(NodeFirewall config)
    {
        foreach (var (ip, version, ipv4) in new[] { ("ip", "4", true), ("ip6", "6", false) })
        {
            var elsewhere = config.Elsewhere.Where(c => c.IsIPv4 == ipv4).ToList();
            if (elsewhere.Count == 0)
            {
                continue;
            }

            yield return $"iifname \"{NodePlanner.OverlayName}\" {ip} saddr @local{version} {ip} daddr @remote{version} notrack";
            if (config.Lent.Where(c => c.IsIPv4 == ipv4).ToList() is { Count: > 0 } lent)
            {
                yield return $"iifname \"mf*\" {ip} daddr {{ {string.Join(", ", lent)} }} accept";
            }

            yield return $"iifname \"mf*\" {ip} saddr @remote{version} {ip} daddr {{ {string.Join(", ", elsewhere)} }} notrack";
        }
    }

    // Pods of this very node, each flow at one end once: on a gateway others' pods only pass, from one device of ours to another.
    static IEnumerable<string> Counted(string ip, string version) =>
    [
        $"iifname != \"mf*\" iifname != \"{NodePlanner.OverlayPrefix}*\" {ip} saddr @local{version} {ip} daddr @remote{version} counter name \"mesh_out\"",
        $"oifname != \"mf*\" oifname != \"{NodePlanner.OverlayPrefix}*\" {ip} saddr @remote{version} {ip} daddr @local{version} counter name \"mesh_in\"",
        $"{ip} saddr @local{version} {ip} daddr != @local{version} {ip} daddr != @remote{version} counter name \"outside_out\"",
        $"{ip} saddr != @local{version} {ip} saddr != @remote{version} {ip} daddr @local{version} counter name \"outside_in\"",
    ];

    // Whoever asked a Service may ask the pod itself from the same port: what comes directly is answered directly.
    static readonly string Forgotten = $"iifname != \"{NodePlanner.ServiceOverlayName}\" ct direction original ct mark and 0x{NodePlanner.MarkMask:x} != 0 {SetMark("ct", 0)}";

    static IEnumerable<string> Remembered(ReturnMark gateway)
    {
        var hardware = string.Join(':', gateway.HardwareAddress.Chunk(2).Select(c => new string(c)));
        yield return $"iifname \"{NodePlanner.ServiceOverlayName}\" ether saddr {hardware} ct direction original {SetMark("ct", gateway.Mark)}";
        yield return $"iifname != \"{NodePlanner.ServiceOverlayName}\" ct direction reply ct mark and 0x{NodePlanner.MarkMask:x} == 0x{gateway.Mark:x} {SetMark("meta", gateway.Mark)}";
    }

    static string SetMark(string of, int mark) => $"{of} mark set {of} mark and 0x{~NodePlanner.MarkMask:x}{(mark == 0 ? "" : $" or 0x{mark:x}")}";

    // The route's source does not help a host that talks to a Service with endpoints in the mesh: its source was chosen for the Service's address.
    // By the overlay only: into the tunnels the gateway's own table gives its tunnel address, which probes must keep, or their answers come back by another tunnel.
    static IEnumerable<string> HostNetwork(NodeFirewall config) => config.Sources.Select(source =>
    {
        var (ip, version) = source.AddressFamily == AddressFamily.InterNetwork ? ("ip", "4") : ("ip6", "6");
        return $"oifname \"{NodePlanner.OverlayName}\" {ip} saddr != @local{version} {ip} saddr != @remote{version} {ip} daddr @remote{version} {Unmark} snat {ip} to {source}";
    });
}
