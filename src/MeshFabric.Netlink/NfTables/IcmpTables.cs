using System.Globalization;

namespace MeshFabric.Netlink.NfTables;

/// <summary>
/// Owns the nft tables <c>ip meshfabric_icmp</c> and <c>ip6 meshfabric_icmp</c>: translation of the addresses inside ICMP errors, which the nft
/// program cannot write (it can print such a rule, but reading that text back loses the checksum). No other table is touched. One user at a time.
/// </summary>
public sealed class IcmpTables(string? namespacePath = null)
{
    /// <summary>Replaces both tables whole, in one transaction: all or nothing, and no packet sees half. No translations: no tables.</summary>
    /// <param name="devicePrefix">Begins the name of every device that leads to the mesh, such as <c>mf</c>.</param>
    /// <exception cref="NetlinkException">The kernel refused it; what was there before is still there.</exception>
    public void Replace(string devicePrefix, IReadOnlyList<IcmpTranslation> translations)
    {
        foreach (var t in translations)
        {
            if (t.Local.Family != t.Outside.Family || t.Local.Length != t.Outside.Length)
            {
                throw new ArgumentException($"{t.Local} cannot be translated to {t.Outside}: family and length differ", nameof(translations));
            }
        }

        var all = IcmpLayout.Both.Select(l => (Layout: l, Rules: translations.Any(t => t.Local.Family == l.Family) ? IcmpRules.Of(l, devicePrefix, translations) : [])).ToList();
        var count = all.Sum(a => a.Rules.Count);
        var hash = IcmpRules.Hash(devicePrefix, translations);
        var index = 0;
        // Of its own: a refused batch may leave answers behind.
        using var socket = Open();
        var batch = new Batch(socket.NextSequence);
        foreach (var (layout, rules) in all)
        {
            batch.Table(layout, delete: false);
            batch.Table(layout, delete: true);
            if (rules.Count == 0)
            {
                continue;
            }

            batch.Table(layout, delete: false);
            batch.Chain(layout, IcmpRules.Sources, null);
            batch.Chain(layout, IcmpRules.Destinations, null);
            batch.Chain(layout, IcmpRules.Incoming, (Hook.Prerouting, Batch.BeforeConntrack));
            batch.Chain(layout, IcmpRules.Outgoing, (Hook.Postrouting, Batch.AfterSourceTranslation));
            foreach (var rule in rules)
            {
                batch.Rule(layout, rule, string.Create(CultureInfo.InvariantCulture, $"meshfabric {hash} {index++}/{count}"));
            }
        }

        var (messages, last) = batch.End();
        socket.Exchange(messages, last, "replacing the tables for ICMP errors", throwAtOnce: true);
    }

    /// <summary>Takes both tables away.</summary>
    public void Remove() => Replace("", []);

    /// <summary>What <see cref="ReadHash"/> gives while exactly these are installed.</summary>
    public static string? HashOf(string devicePrefix, IReadOnlyList<IcmpTranslation> translations) =>
        translations.Count == 0 ? null : IcmpRules.Hash(devicePrefix, translations);

    /// <summary>Digest of what is installed; null when there is nothing, <c>damaged</c> when rules are missing or others were added.</summary>
    public string? ReadHash()
    {
        using var socket = Open();
        var comments = IcmpLayout.Both.SelectMany(l => Batch.ReadComments(socket, l)).ToList();
        if (comments.Count == 0)
        {
            return null;
        }

        var hash = comments[0].Split(' ') is ["meshfabric", var first, _] ? first : "";
        return comments.Select((c, i) => c == string.Create(CultureInfo.InvariantCulture, $"meshfabric {hash} {i}/{comments.Count}")).All(c => c)
            ? hash : Damaged;
    }

    public const string Damaged = "damaged";

    NetlinkSocket Open() => namespacePath is null ? NetlinkSocket.Open(Batch.NetfilterProtocol) : NetlinkSocket.Open(Batch.NetfilterProtocol, namespacePath);
}
