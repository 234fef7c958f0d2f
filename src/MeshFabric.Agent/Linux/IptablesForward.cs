using System.Text;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Agent.Linux;

/// <summary>Our chains in iptables' FORWARD, in every backend that is in force on this host.</summary>
/// <remarks>
/// An accept in an nft table of ours does not save a packet from an iptables policy of DROP: only a rule inside that chain does. What only passes between two
/// devices of ours is accepted before all others; what goes to or comes from pods only when no policy engine judges it, or after the engine's own rules.
/// </remarks>
public static class IptablesForward
{
    const string Transit = "MESHFABRIC-TRANSIT";
    const string Edge = "MESHFABRIC-EDGE";
    const string Filter = "*filter";

    /// <summary>Of both overlays.</summary>
    const string Overlays = NodePlanner.OverlayPrefix + "+";

    static readonly string[] Devices = [Overlays, MeshPlanner.DevicePrefix + "+"];

    /// <summary>The program's names begin with these; one each for IPv4 and IPv6.</summary>
    static readonly (string Program, string LegacyTables)[] Backends =
    [
        ("iptables-nft", ""), ("ip6tables-nft", ""), ("iptables-legacy", "/proc/net/ip_tables_names"), ("ip6tables-legacy", "/proc/net/ip6_tables_names"),
    ];

    /// <summary>True when iptables-legacy has a filter table here: of its changes nobody tells.</summary>
    public static bool LegacyIsInForce => Backends.Any(b => b.LegacyTables.Length > 0 && HasFilter(b.LegacyTables));

    /// <summary>Makes our chains so in every backend that has a filter table; makes no table where there is none.</summary>
    public static async Task ApplyAsync(bool forwardsFirst, CancellationToken cancellationToken)
    {
        foreach (var (program, legacy) in Backends)
        {
            if (await SavedAsync(program, legacy, cancellationToken) is { } saved && Change(saved, forwardsFirst) is { } change)
            {
                await RestoreAsync(program, change, cancellationToken);
            }
        }
    }

    public static async Task RemoveAsync(CancellationToken cancellationToken)
    {
        foreach (var (program, legacy) in Backends)
        {
            if (await SavedAsync(program, legacy, cancellationToken) is { } saved && Removal(saved) is { } change)
            {
                await RestoreAsync(program, change, cancellationToken);
            }
        }
    }

    /// <summary>What <c>iptables-restore --noflush</c> must be given; null when all is as wanted. Pure.</summary>
    /// <param name="saved">As <c>iptables-save -t filter</c> printed it.</param>
    public static string? Change(string saved, bool forwardsFirst)
    {
        var lines = saved.Split('\n');
        if (!lines.Any(Filters))
        {
            return null;
        }

        var wanted = Rules();
        var forward = lines.Where(l => l.StartsWith("-A FORWARD ", StringComparison.Ordinal)).ToList();
        var edge = $"-A FORWARD -j {Edge}";
        var transitInPlace = forward.Contains($"-A FORWARD -j {Transit}");
        // Before or after the rules of others: only the side matters, or two programs that both want to be first would never rest.
        var edgeAt = forward.IndexOf(edge);
        var edgeInPlace = edgeAt >= 0 && forward.Count(l => l == edge) == 1 && (forwardsFirst ? forward.Take(edgeAt).All(Accepts) : edgeAt == forward.Count - 1);
        if (transitInPlace && edgeInPlace && wanted.All(lines.Contains) && lines.Count(IsOurRule) == wanted.Count)
        {
            return null;
        }

        var text = new StringBuilder($"{Filter}\n:{Transit} - [0:0]\n:{Edge} - [0:0]\n");
        wanted.ForEach(r => text.Append(r).Append('\n'));
        if (!edgeInPlace)
        {
            forward.Where(l => l == edge).ToList().ForEach(_ => text.Append($"-D FORWARD -j {Edge}\n"));
            text.Append(forwardsFirst ? $"-I FORWARD 1 -j {Edge}\n" : $"-A FORWARD -j {Edge}\n");
        }

        if (!transitInPlace)
        {
            text.Append($"-I FORWARD 1 -j {Transit}\n");
        }

        return text.Append("COMMIT\n").ToString();
    }

    /// <summary>What takes our chains out; null when there are none. Pure.</summary>
    public static string? Removal(string saved)
    {
        var lines = saved.Split('\n');
        var chains = new[] { Transit, Edge }.Where(c => lines.Any(l => l.StartsWith($":{c} ", StringComparison.Ordinal))).ToList();
        if (chains.Count == 0)
        {
            return null;
        }

        var text = new StringBuilder(Filter + "\n");
        foreach (var jump in lines.Where(l => chains.Exists(c => l == $"-A FORWARD -j {c}")))
        {
            text.Append("-D").Append(jump.AsSpan(2)).Append('\n');
        }

        chains.ForEach(c => text.Append($"-F {c}\n"));
        chains.ForEach(c => text.Append($"-X {c}\n"));
        return text.Append("COMMIT\n").ToString();
    }

    // iptables-nft prints a table also where there is none: it is one only when something of it can refuse a packet.
    static bool Filters(string line) => line.StartsWith("-A ", StringComparison.Ordinal)
        || (line.StartsWith(':') && !line.Contains(" ACCEPT ", StringComparison.Ordinal));

    // Jumps to chains of ours and of others that can only accept or pass on may come before ours.
    static bool Accepts(string rule) => rule.EndsWith($"-j {Transit}", StringComparison.Ordinal) || rule.EndsWith("-j ACCEPT", StringComparison.Ordinal)
        || (!rule.EndsWith("-j DROP", StringComparison.Ordinal) && !rule.Contains("-j REJECT", StringComparison.Ordinal));

    static bool IsOurRule(string line) => line.StartsWith($"-A {Transit} ", StringComparison.Ordinal) || line.StartsWith($"-A {Edge} ", StringComparison.Ordinal);

    static List<string> Rules() =>
    [
        .. Devices.SelectMany(i => Devices.Where(o => o != i || o != Overlays).Select(o => $"-A {Transit} -i {i} -o {o} -j ACCEPT")),
        .. Devices.SelectMany(d => new[] { $"-A {Edge} -i {d} -j ACCEPT", $"-A {Edge} -o {d} -j ACCEPT" }),
    ];

    static bool HasFilter(string tables) => File.Exists(tables) && File.ReadAllLines(tables).Contains("filter");

    // Null when this backend is not in force here.
    static async Task<string?> SavedAsync(string program, string legacyTables, CancellationToken cancellationToken)
    {
        if (legacyTables.Length > 0 && !HasFilter(legacyTables))
        {
            return null;
        }

        var (code, output, _) = await TryAsync($"{program}-save", ["-t", "filter"], "", cancellationToken);
        return code == 0 && output.Contains(Filter, StringComparison.Ordinal) ? output : null;
    }

    static async Task RestoreAsync(string program, string change, CancellationToken cancellationToken)
    {
        var (code, _, error) = await TryAsync($"{program}-restore", ["--noflush", "-w", "5"], change, cancellationToken);
        if (code != 0)
        {
            throw new InvalidOperationException($"{program}-restore refused our chains in FORWARD: {error.Trim().Split('\n')[0]}");
        }
    }

    // A host without that program has no rules of its kind either, as far as anybody could tell.
    static async Task<(int Code, string Output, string Error)> TryAsync(string program, string[] arguments, string input, CancellationToken cancellationToken)
    {
        try
        {
            return await Tool.RunAsync(program, arguments, input, cancellationToken);
        }
        catch (InvalidOperationException e)
        {
            return (127, "", e.Message);
        }
    }
}
