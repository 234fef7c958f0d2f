using System.Security.Cryptography;
using System.Text;
using MeshFabric.Net;

namespace MeshFabric.Netlink.NfTables;

/// <summary>The rules that translate the addresses inside ICMP errors. Pure.</summary>
/// <remarks>
/// An ICMP error carries the packet it complains about. Coming in, that packet is one of ours: its source is our outside address and must become
/// the local one. Going out, it is one of theirs: its destination is our local address and must become the outside one. Otherwise the receiver does
/// not recognise its own packet: closed ports are silent, traceroute is blind, and TCP stalls where a path has a smaller MTU (RFC 5508 section 4.2).
/// </remarks>
static class IcmpRules
{
    public const string Incoming = "incoming", Outgoing = "outgoing", Sources = "sources", Destinations = "destinations";

    /// <summary>All rules of one family, in order.</summary>
    public static List<IcmpRule> Of(IcmpLayout layout, string devicePrefix, IEnumerable<IcmpTranslation> translations)
    {
        var name = Encoding.ASCII.GetBytes(devicePrefix);
        var rules = new List<IcmpRule>();
        foreach (var (first, last) in layout.ErrorTypes)
        {
            rules.Add(new(Incoming, w => Errors(w, layout, MetaKey.InputName, name, first, last, Sources)));
            rules.Add(new(Outgoing, w => Errors(w, layout, MetaKey.OutputName, name, first, last, Destinations)));
        }

        foreach (var translation in translations.Where(t => t.Local.Family == layout.Family))
        {
            rules.Add(new(Sources, w => Translate(w, layout, layout.EmbeddedSource, translation.Outside, translation.Local)));
            if (translation.Destinations.Count == 0)
            {
                rules.Add(new(Destinations, w => Translate(w, layout, layout.EmbeddedDestination, translation.Local, translation.Outside)));
            }

            foreach (var to in translation.Destinations)
            {
                rules.Add(new(Destinations, w =>
                {
                    w.MatchPrefix(PayloadBase.Network, layout.OuterDestination, to);
                    Translate(w, layout, layout.EmbeddedDestination, translation.Local, translation.Outside);
                }));
            }
        }

        return rules;
    }

    /// <summary>Short digest of what is wanted; the rules carry it as their comment, so that what is installed can be compared cheaply.</summary>
    public static string Hash(string devicePrefix, IEnumerable<IcmpTranslation> translations)
    {
        const string format = "1";
        var text = new StringBuilder($"{format} {devicePrefix}\n");
        foreach (var t in translations)
        {
            text.Append(t.Local).Append(' ').Append(t.Outside).Append(' ').AppendJoin(',', t.Destinations).Append('\n');
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text.ToString())).AsSpan(0, 8));
    }

    static void Errors(RuleWriter rule, IcmpLayout layout, MetaKey device, byte[] devicePrefix, byte first, byte last, string chain)
    {
        rule.Meta(device);
        rule.Compare(Comparison.Equal, devicePrefix);
        rule.Meta(MetaKey.TransportProtocol);
        rule.Compare(Comparison.Equal, [layout.Protocol]);
        rule.Load(PayloadBase.Transport, 0, 1);
        rule.Compare(Comparison.AtLeast, [first]);
        rule.Compare(Comparison.AtMost, [last]);
        rule.Jump(chain);
    }

    static void Translate(RuleWriter rule, IcmpLayout layout, int offset, Cidr from, Cidr to)
    {
        rule.MatchPrefix(PayloadBase.Transport, offset, from);
        rule.SetPrefix(PayloadBase.Transport, offset, to, layout.ChecksumOffset);
        rule.Accept();
    }
}

/// <param name="Chain">Where it belongs.</param>
/// <param name="Write">Writes its expressions.</param>
sealed record IcmpRule(string Chain, Action<RuleWriter> Write);
