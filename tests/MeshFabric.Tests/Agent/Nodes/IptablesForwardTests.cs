using MeshFabric.Agent.Linux;

namespace MeshFabric.Tests.Agent.Nodes;

public sealed class IptablesForwardTests
{
    const string Empty = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";

    const string Policy = """
        *filter
        :FORWARD ACCEPT [0:0]
        :cali-FORWARD - [0:0]
        -A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
        -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
        COMMIT

        """;

    [Fact]
    public void Where_nothing_filters_no_table_is_made()
    {
        // As ip6tables-nft-save prints it on a host that has no such table.
        const string nothing = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";
        Assert.Null(IptablesForward.Change(nothing, forwardsFirst: true));
        Assert.NotNull(IptablesForward.Change(Empty, forwardsFirst: true));
    }

    [Theory]
    [InlineData(true, "-I FORWARD 1 -j MESHFABRIC-EDGE")]
    [InlineData(false, "-A FORWARD -j MESHFABRIC-EDGE")]
    public void Pods_are_accepted_first_without_a_policy_engine_and_last_with_one(bool first, string jump)
    {
        var change = IptablesForward.Change(Policy, first)!;

        Assert.Contains(jump + "\n", change, StringComparison.Ordinal);
        Assert.Contains("-I FORWARD 1 -j MESHFABRIC-TRANSIT\n", change, StringComparison.Ordinal);
        Assert.Contains("-A MESHFABRIC-TRANSIT -i mf+ -o meshx+ -j ACCEPT\n", change, StringComparison.Ordinal);
        Assert.DoesNotContain("-i meshx+ -o meshx+", change, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Empty, true)]
    [InlineData(Empty, false)]
    [InlineData(Policy, true)]
    [InlineData(Policy, false)]
    public void What_was_changed_needs_no_change_and_can_be_taken_out(string saved, bool first)
    {
        var after = Restored(saved, IptablesForward.Change(saved, first)!);

        Assert.Null(IptablesForward.Change(after, first));
        Assert.Equal(saved, Restored(after, IptablesForward.Removal(after)!));
        Assert.Null(IptablesForward.Removal(saved));
    }

    [Fact]
    public void A_rule_of_ours_that_is_gone_or_foreign_in_our_chain_is_mended()
    {
        var after = Restored(Empty, IptablesForward.Change(Empty, forwardsFirst: true)!);

        Assert.NotNull(IptablesForward.Change(after.Replace("-A MESHFABRIC-EDGE -i meshx+ -j ACCEPT\n", "", StringComparison.Ordinal), forwardsFirst: true));
        Assert.NotNull(IptablesForward.Change(after.Replace("COMMIT", "-A MESHFABRIC-EDGE -j DROP\nCOMMIT", StringComparison.Ordinal), forwardsFirst: true));
    }

    [Fact]
    public void A_drop_that_was_put_before_ours_is_overtaken_and_after_an_engines_rules_ours_goes_behind_again()
    {
        var first = Restored(Empty, IptablesForward.Change(Empty, forwardsFirst: true)!).Replace("-A FORWARD -j MESHFABRIC-EDGE", "-A FORWARD -o weave -j DROP\n-A FORWARD -j MESHFABRIC-EDGE", StringComparison.Ordinal);
        Assert.Contains("-D FORWARD -j MESHFABRIC-EDGE\n-I FORWARD 1 -j MESHFABRIC-EDGE", IptablesForward.Change(first, forwardsFirst: true), StringComparison.Ordinal);

        var last = Restored(Policy, IptablesForward.Change(Policy, forwardsFirst: false)!).Replace("COMMIT", "-A FORWARD -o weave -j DROP\nCOMMIT", StringComparison.Ordinal);
        Assert.Contains("-D FORWARD -j MESHFABRIC-EDGE\n-A FORWARD -j MESHFABRIC-EDGE", IptablesForward.Change(last, forwardsFirst: false), StringComparison.Ordinal);
    }

    // As iptables-restore --noflush does it, as far as our scripts go.
    static string Restored(string saved, string script)
    {
        var lines = saved.Split('\n').ToList();
        foreach (var line in script.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split(' ');
            switch (words[0])
            {
                case "*filter" or "COMMIT":
                    break;
                case "-I":
                    lines.Insert(lines.FindIndex(l => l.StartsWith("-A ", StringComparison.Ordinal)) is >= 0 and var at ? at : lines.IndexOf("COMMIT"), $"-A {words[1]} {string.Join(' ', words[3..])}");
                    break;
                case "-A":
                    lines.Insert(lines.IndexOf("COMMIT"), line);
                    break;
                case "-D":
                    lines.Remove("-A" + line[2..]);
                    break;
                case "-F":
                    lines.RemoveAll(l => l.StartsWith($"-A {words[1]} ", StringComparison.Ordinal));
                    break;
                case "-X":
                    lines.RemoveAll(l => l.StartsWith($":{words[1]} ", StringComparison.Ordinal));
                    break;
                default:
                    lines.RemoveAll(l => l.StartsWith($":{words[0][1..]} ", StringComparison.Ordinal) || l.StartsWith($"-A {words[0][1..]} ", StringComparison.Ordinal));
                    lines.Insert(lines.FindLastIndex(l => l.StartsWith(':')) + 1, line);
                    break;
            }
        }

        return string.Join('\n', lines);
    }
}
