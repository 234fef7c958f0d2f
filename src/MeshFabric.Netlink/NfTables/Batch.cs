using System.Buffers.Binary;
using System.Text;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Netlink.NfTables;

/// <summary>One nf_tables transaction (linux/netfilter/nfnetlink.h, nf_tables.h).</summary>
/// <remarks>
/// Every message begins with struct nfgenmsg: u8 family, u8 version, be16 resource. Between NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END, whose resource is
/// the subsystem, the kernel takes all messages or none. Message type = subsystem in the high byte, NFT_MSG_* in the low one.
/// </remarks>
sealed class Batch
{
    public const int NetfilterProtocol = 12;

    /// <summary>Before conntrack (-200) looks at the address inside.</summary>
    public const int BeforeConntrack = -300;

    /// <summary>After everybody's source translation (100).</summary>
    public const int AfterSourceTranslation = 300;

    const byte Subsystem = 10;
    const ushort BatchBegin = 0x10, BatchEnd = 0x11;
    const int NewTable = 0, DeleteTable = 2, NewChain = 3, NewRule = 6, GetRule = 7;

    readonly Func<uint> _nextSequence;
    readonly MessageWriter _writer = new();
    uint _last;

    public Batch(Func<uint> nextSequence)
    {
        _nextSequence = nextSequence;
        Begin(BatchBegin, MessageFlags.None, 0, Subsystem);
        _writer.End();
    }

    public void Table(IcmpLayout layout, bool delete)
    {
        Begin(Type(delete ? DeleteTable : NewTable), delete ? MessageFlags.Ack : MessageFlags.Ack | MessageFlags.Create, layout.TableFamily, 0);
        _writer.AttributeText(1, layout.Table);
        _writer.End();
    }

    // NFTA_CHAIN_TABLE 1, NAME 3, HOOK 4 { HOOKNUM 1, PRIORITY 2 }, POLICY 5, TYPE 7
    public void Chain(IcmpLayout layout, string name, (Hook Hook, int Priority)? hooked)
    {
        const uint accept = 1;
        Begin(Type(NewChain), MessageFlags.Ack | MessageFlags.Create, layout.TableFamily, 0);
        _writer.AttributeText(1, layout.Table);
        _writer.AttributeText(3, name);
        if (hooked is var (number, priority))
        {
            var hook = _writer.BeginNested(4);
            _writer.AttributeU32BigEndian(1, (uint)number);
            _writer.AttributeU32BigEndian(2, unchecked((uint)priority));
            _writer.EndNested(hook);
            _writer.AttributeU32BigEndian(5, accept);
            _writer.AttributeText(7, "filter");
        }

        _writer.End();
    }

    // NFTA_RULE_TABLE 1, CHAIN 2, EXPRESSIONS 4, USERDATA 7; user data as the nft program reads it: u8 type (0 comment), u8 length, text with a zero
    public void Rule(IcmpLayout layout, IcmpRule rule, string comment)
    {
        Begin(Type(NewRule), MessageFlags.Ack | MessageFlags.Create | MessageFlags.Append, layout.TableFamily, 0);
        _writer.AttributeText(1, layout.Table);
        _writer.AttributeText(2, rule.Chain);
        var expressions = _writer.BeginNested(4);
        rule.Write(new RuleWriter(_writer));
        _writer.EndNested(expressions);
        _writer.Attribute(7, [0, (byte)(comment.Length + 1), .. Encoding.ASCII.GetBytes(comment), 0]);
        _writer.End();
    }

    /// <summary>Closes the transaction: all its messages, and the number of the last one that is acknowledged.</summary>
    public (MessageWriter Messages, uint Last) End()
    {
        var last = _last;
        Begin(BatchEnd, MessageFlags.None, 0, Subsystem);
        _writer.End();
        return (_writer, last);
    }

    /// <summary>The comments of all rules of a table, sorted by the number they end with; a rule without one gives an empty text.</summary>
    public static List<string> ReadComments(NetlinkSocket socket, IcmpLayout layout)
    {
        var writer = new MessageWriter();
        var comments = new List<string>();
        for (var attempt = 0; attempt < 10; attempt++)
        {
            writer.Clear();
            comments.Clear();
            var sequence = socket.NextSequence();
            writer.Begin(Type(GetRule), MessageFlags.Request | MessageFlags.Dump, sequence);
            Header(writer, layout.TableFamily, 0);
            writer.AttributeText(1, layout.Table);
            writer.End();
            if (socket.Exchange(writer, sequence, $"reading the table {layout.Table}", (_, payload) => ReadComment(payload, layout, comments)))
            {
                break;
            }
        }

        return comments.OrderBy(Number).ToList();
    }

    // User data that no comment begins is another program's rule: an empty comment.
    internal static void ReadComment(ReadOnlySpan<byte> payload, IcmpLayout layout, List<string> comments)
    {
        RouteMessages.Need(payload, 4);
        if (payload[0] != layout.TableFamily)
        {
            return;
        }

        var (table, comment) = ("", "");
        var attributes = new AttributeReader(payload[4..]);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case 1:
                    table = attributes.Text();
                    break;
                case 7 when attributes.Value is [0, var length, ..] && attributes.Value.Length >= 2 + length:
                    comment = Encoding.ASCII.GetString(attributes.Value.Slice(2, length)).TrimEnd('\0');
                    break;
            }
        }

        if (table == layout.Table)
        {
            comments.Add(comment);
        }
    }

    static int Number(string comment) =>
        int.TryParse(comment.AsSpan(comment.LastIndexOf(' ') + 1, Math.Max(0, comment.LastIndexOf('/') - comment.LastIndexOf(' ') - 1)), out var number) ? number : int.MaxValue;

    void Begin(ushort type, MessageFlags flags, byte family, ushort resource)
    {
        _last = _nextSequence();
        _writer.Begin(type, flags | MessageFlags.Request, _last);
        Header(_writer, family, resource);
    }

    static void Header(MessageWriter writer, byte family, ushort resource)
    {
        writer.U8(family);
        writer.U8(0);
        writer.U16(BinaryPrimitives.ReverseEndianness(resource));
    }

    static ushort Type(int message) => (ushort)((Subsystem << 8) | message);
}

/// <summary>NF_INET_*.</summary>
enum Hook : uint
{
    Prerouting = 0,
    Postrouting = 4,
}
