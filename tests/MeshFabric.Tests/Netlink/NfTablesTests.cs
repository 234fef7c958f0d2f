using MeshFabric.Net;
using MeshFabric.Netlink.NfTables;
using static MeshFabric.Tests.Netlink.AnnotatedHex;

namespace MeshFabric.Tests.Netlink;

/// <summary>
/// linux/netfilter/nfnetlink.h and nf_tables.h; what belongs together is as the nft program (1.0.6) sends it for the same rule, seen by strace,
/// but for what a comment says.
/// </summary>
public sealed class NfTablesTests
{
    const string Table = "14 00 01 00 6d 65 73 68 66 61 62 72 69 63 5f 69 63 6d 70 00  # NFTA_*_TABLE \"meshfabric_icmp\"";

    static readonly IcmpTranslation Translation = new(Cidr.Parse("10.42.0.0/15"), Cidr.Parse("100.64.0.0/15"), []);

    [Fact]
    public void A_transaction_has_its_messages_between_begin_and_end()
    {
        uint sequence = 0;
        var batch = new Batch(() => ++sequence);
        batch.Table(IcmpLayout.V4, delete: false);
        batch.Table(IcmpLayout.V6, delete: true);
        var (messages, last) = batch.End();
        Assert.Equal(3u, last);
        Is($"""
            14 00 00 00 10 00 01 00 01 00 00 00 00 00 00 00  # NFNL_MSG_BATCH_BEGIN, REQUEST
            00 00 00 0a                                      # AF_UNSPEC, version 0, be16 NFNL_SUBSYS_NFTABLES
            28 00 00 00 00 0a 05 04 02 00 00 00 00 00 00 00  # NFT_MSG_NEWTABLE, REQUEST | ACK | CREATE
            02 00 00 00                                      # NFPROTO_IPV4
            {Table}
            28 00 00 00 02 0a 05 00 03 00 00 00 00 00 00 00  # NFT_MSG_DELTABLE, REQUEST | ACK
            0a 00 00 00                                      # NFPROTO_IPV6
            {Table}
            14 00 00 00 11 00 01 00 04 00 00 00 00 00 00 00  # NFNL_MSG_BATCH_END
            00 00 00 0a
            """, messages);
    }

    [Fact]
    public void Chains_are_plain_or_hooked() => Is(
        $"""
        34 00 00 00 03 0a 05 04 07 00 00 00 00 00 00 00  # NFT_MSG_NEWCHAIN, REQUEST | ACK | CREATE
        02 00 00 00
        {Table}
        0c 00 03 00 73 6f 75 72 63 65 73 00              # NFTA_CHAIN_NAME "sources"
        60 00 00 00 03 0a 05 04 07 00 00 00 00 00 00 00
        02 00 00 00
        {Table}
        0d 00 03 00 69 6e 63 6f 6d 69 6e 67 00 00 00 00  # "incoming"
        14 00 04 80                                      # NFTA_CHAIN_HOOK
          08 00 01 00 00 00 00 00                        # NFTA_HOOK_HOOKNUM: NF_INET_PRE_ROUTING
          08 00 02 00 ff ff fe d4                        # NFTA_HOOK_PRIORITY: -300
        08 00 05 00 00 00 00 01                          # NFTA_CHAIN_POLICY: NF_ACCEPT
        0b 00 07 00 66 69 6c 74 65 72 00 00              # NFTA_CHAIN_TYPE "filter"
        """,
        Only(b =>
        {
            b.Chain(IcmpLayout.V4, "sources", null);
            b.Chain(IcmpLayout.V4, "incoming", (Hook.Prerouting, Batch.BeforeConntrack));
        }));

    // ip saddr 100.64.0.0/15 ip saddr set ip saddr & 0.1.255.255 | 10.42.0.0 accept, on the address inside an ICMP error
    [Fact]
    public void The_rule_for_an_embedded_source() => Is(
        $"""
        ec 01 00 00 06 0a 05 0c 07 00 00 00 00 00 00 00  # NFT_MSG_NEWRULE, REQUEST | ACK | CREATE | APPEND
        02 00 00 00
        {Table}
        0c 00 02 00 73 6f 75 72 63 65 73 00              # NFTA_RULE_CHAIN
        9c 01 04 80                                      # NFTA_RULE_EXPRESSIONS
        34 00 01 80 0c 00 01 00 70 61 79 6c 6f 61 64 00 24 00 02 80  # "payload": load
          08 00 01 00 00 00 00 01                        # NFTA_PAYLOAD_DREG: NFT_REG_1
          08 00 02 00 00 00 00 02                        # NFTA_PAYLOAD_BASE: transport header (nft here: network)
          08 00 03 00 00 00 00 14                        # NFTA_PAYLOAD_OFFSET: 8 of ICMP + 12 of IP
          08 00 04 00 00 00 00 04                        # NFTA_PAYLOAD_LEN
        44 00 01 80 0c 00 01 00 62 69 74 77 69 73 65 00 34 00 02 80  # "bitwise"
          08 00 01 00 00 00 00 01                        # NFTA_BITWISE_SREG
          08 00 02 00 00 00 00 01                        # NFTA_BITWISE_DREG
          08 00 03 00 00 00 00 04                        # NFTA_BITWISE_LEN
          0c 00 04 80 08 00 01 00 ff fe 00 00            # NFTA_BITWISE_MASK: /15
          0c 00 05 80 08 00 01 00 00 00 00 00            # NFTA_BITWISE_XOR
        2c 00 01 80 08 00 01 00 63 6d 70 00 20 00 02 80  # "cmp"
          08 00 01 00 00 00 00 01                        # NFTA_CMP_SREG
          08 00 02 00 00 00 00 00                        # NFTA_CMP_OP: NFT_CMP_EQ
          0c 00 03 80 08 00 01 00 64 40 00 00            # NFTA_CMP_DATA: 100.64.0.0
        34 00 01 80 0c 00 01 00 70 61 79 6c 6f 61 64 00 24 00 02 80
          08 00 01 00 00 00 00 01
          08 00 02 00 00 00 00 02
          08 00 03 00 00 00 00 14
          08 00 04 00 00 00 00 04
        44 00 01 80 0c 00 01 00 62 69 74 77 69 73 65 00 34 00 02 80  # (nft: and NFTA_BITWISE_OP 0, the default)
          08 00 01 00 00 00 00 01
          08 00 02 00 00 00 00 01
          08 00 03 00 00 00 00 04
          0c 00 04 80 08 00 01 00 00 01 ff ff            # host bits stay
          0c 00 05 80 08 00 01 00 0a 2a 00 00            # 10.42.0.0
        4c 00 01 80 0c 00 01 00 70 61 79 6c 6f 61 64 00 3c 00 02 80  # "payload": store
          08 00 05 00 00 00 00 01                        # NFTA_PAYLOAD_SREG
          08 00 02 00 00 00 00 02
          08 00 03 00 00 00 00 14
          08 00 04 00 00 00 00 04
          08 00 06 00 00 00 00 01                        # NFTA_PAYLOAD_CSUM_TYPE: NFT_PAYLOAD_CSUM_INET
          08 00 07 00 00 00 00 12                        # NFTA_PAYLOAD_CSUM_OFFSET: 8 + 10
          08 00 08 00 00 00 00 00                        # NFTA_PAYLOAD_CSUM_FLAGS (nft here: the pseudo header)
        30 00 01 80 0e 00 01 00 69 6d 6d 65 64 69 61 74 65 00 00 00 1c 00 02 80  # "immediate"
          08 00 01 00 00 00 00 00                        # NFTA_IMMEDIATE_DREG: NFT_REG_VERDICT
          10 00 02 80 0c 00 02 80 08 00 01 00 00 00 00 01  # NFTA_DATA_VERDICT: NF_ACCEPT
        1a 00 07 00 00 14                                # NFTA_RULE_USERDATA: comment of 20 bytes
          6d 65 73 68 66 61 62 72 69 63 20 30 31 32 33 20 30 2f 31 00 00 00  # "meshfabric 0123 0/1"
        """,
        Only(b => b.Rule(IcmpLayout.V4, Rules(IcmpLayout.V4, IcmpRules.Sources)[0], "meshfabric 0123 0/1")));

    // iifname "mf*" meta l4proto 1 @th,0,8 >= 11 @th,0,8 <= 12 jump sources
    [Fact]
    public void The_rule_for_incoming_errors() => Is(
        $"""
        ac 01 00 00 06 0a 05 0c 07 00 00 00 00 00 00 00
        02 00 00 00
        {Table}
        0d 00 02 00 69 6e 63 6f 6d 69 6e 67 00 00 00 00
        6c 01 04 80
        24 00 01 80 09 00 01 00 6d 65 74 61 00 00 00 00 14 00 02 80  # "meta" (nft: key before register)
          08 00 01 00 00 00 00 01                        # NFTA_META_DREG
          08 00 02 00 00 00 00 06                        # NFTA_META_KEY: NFT_META_IIFNAME
        2c 00 01 80 08 00 01 00 63 6d 70 00 20 00 02 80
          08 00 01 00 00 00 00 01
          08 00 02 00 00 00 00 00
          0c 00 03 80 06 00 01 00 6d 66 00 00            # "mf" without an end: a prefix
        24 00 01 80 09 00 01 00 6d 65 74 61 00 00 00 00 14 00 02 80
          08 00 01 00 00 00 00 01
          08 00 02 00 00 00 00 10                        # NFT_META_L4PROTO
        2c 00 01 80 08 00 01 00 63 6d 70 00 20 00 02 80
          08 00 01 00 00 00 00 01
          08 00 02 00 00 00 00 00
          0c 00 03 80 05 00 01 00 01 00 00 00            # IPPROTO_ICMP
        34 00 01 80 0c 00 01 00 70 61 79 6c 6f 61 64 00 24 00 02 80
          08 00 01 00 00 00 00 01
          08 00 02 00 00 00 00 02
          08 00 03 00 00 00 00 00                        # the ICMP type
          08 00 04 00 00 00 00 01
        2c 00 01 80 08 00 01 00 63 6d 70 00 20 00 02 80
          08 00 01 00 00 00 00 01
          08 00 02 00 00 00 00 05                        # NFT_CMP_GTE
          0c 00 03 80 05 00 01 00 0b 00 00 00
        2c 00 01 80 08 00 01 00 63 6d 70 00 20 00 02 80  # the register still has it (nft loads it again)
          08 00 01 00 00 00 00 01
          08 00 02 00 00 00 00 03                        # NFT_CMP_LTE
          0c 00 03 80 05 00 01 00 0c 00 00 00
        3c 00 01 80 0e 00 01 00 69 6d 6d 65 64 69 61 74 65 00 00 00 28 00 02 80
          08 00 01 00 00 00 00 00
          1c 00 02 80 18 00 02 80
            08 00 01 00 ff ff ff fd                      # NFT_JUMP
            0c 00 02 00 73 6f 75 72 63 65 73 00          # NFTA_VERDICT_CHAIN "sources"
        08 00 07 00 00 02 63 00                          # comment "c"
        """,
        Only(b => b.Rule(IcmpLayout.V4, Rules(IcmpLayout.V4, IcmpRules.Incoming)[1], "c")));

    [Fact]
    public void The_comment_of_a_rule_is_read_and_damage_does_no_harm()
    {
        var rule = Bytes(
            $"""
            02 00 00 07                                      # struct nfgenmsg
            {Table}
            0c 00 02 00 73 6f 75 72 63 65 73 00
            0c 00 03 00 00 00 00 00 00 00 00 03              # NFTA_RULE_HANDLE
            1a 00 07 00 00 14
              6d 65 73 68 66 61 62 72 69 63 20 30 31 32 33 20 30 2f 31 00 00 00
            """);
        Assert.Equal(["meshfabric 0123 0/1"], Comments(rule));
        Assert.Equal([""], Comments(rule[..^28]));
        SurvivesDamage(rule, b => Comments(b));
    }

    static List<string> Comments(byte[] rule)
    {
        var comments = new List<string>();
        Batch.ReadComment(rule, IcmpLayout.V4, comments);
        return comments;
    }

    static List<IcmpRule> Rules(IcmpLayout layout, string chain) => IcmpRules.Of(layout, "mf", [Translation]).Where(r => r.Chain == chain).ToList();

    // What lies between begin and end.
    static MeshFabric.Netlink.MessageWriter Only(Action<Batch> write)
    {
        var batch = new Batch(() => 7);
        write(batch);
        var messages = batch.End().Messages.Written[20..^20].ToArray();
        return Written(w => w.Bytes(messages));
    }
}
