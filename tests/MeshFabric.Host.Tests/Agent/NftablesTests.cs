using MeshFabric.Agent.Linux;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Host.Tests.Agent;

public sealed class NftablesTests
{
    static readonly FirewallConfig Config = new(
        [
            new Translation(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.65.0.0/16"), [Cidr.Parse("100.64.0.0/16"), Cidr.Parse("198.19.0.5/32")]),
            new Translation(Cidr.Parse("fd10:1::/48"), Cidr.Parse("fd6d:6600:1::/48"), []),
            new Translation(Cidr.Parse("10.96.0.0/16"), Cidr.Parse("100.66.0.0/16"), []) { Services = true },
        ],
        [Cidr.Parse("10.20.0.0/16"), Cidr.Parse("fd10:1::/48")],
        [Cidr.Parse("10.10.0.0/16"), Cidr.Parse("100.64.0.0/16"), Cidr.Parse("198.19.0.5/32"), Cidr.Parse("fd10:2::/48")],
        [Cidr.Parse("198.19.0.1/32"), Cidr.Parse("fd6d:6700::1/128")])
    {
        ServicePrefixes = [Cidr.Parse("10.96.0.0/16")],
    };

    [Fact]
    public void The_kernel_accepts_the_table_as_one_transaction_again_and_again()
    {
        using var host = new NetworkNamespace();
        for (var i = 0; i < 3; i++)
        {
            var (code, output) = host.Try(Nftables.Replace(Config), "nft", "-f", "-");
            Assert.True(code == 0, output);
        }

        var listed = host.Exec("nft", "list", "table", "inet", "meshfabric");
        Assert.Contains("ip daddr 100.65.0.0/16 notrack", listed, StringComparison.Ordinal);
        Assert.Contains("iifname \"mf*\" ip daddr 100.66.0.0/16 ip daddr set", listed, StringComparison.Ordinal);
        Assert.Contains("iifname \"mf*\" ip daddr 10.96.0.0/16 reject", listed, StringComparison.Ordinal);
    }

    [Fact]
    public void A_drained_gateway_answers_no_probes_by_its_tunnels()
    {
        using var host = new NetworkNamespace();
        var (code, output) = host.Try(Nftables.Replace(Config with { IsDrained = true }), "nft", "-f", "-");
        Assert.True(code == 0, output);
        var listed = host.Exec("nft", "list", "table", "inet", "meshfabric");
        Assert.Contains("iifname \"mf*\" ip daddr 198.19.0.1 icmp type echo-request drop", listed, StringComparison.Ordinal);
        Assert.Contains("iifname \"mf*\" ip6 daddr fd6d:6700::1 icmpv6 type echo-request drop", listed, StringComparison.Ordinal);
        Assert.DoesNotContain("echo-request", Nftables.Replace(Config), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_hub_does_not_track_what_only_passes(bool isNode)
    {
        using var host = new NetworkNamespace();
        var (code, output) = host.Try(Nftables.Replace(Config with { Transits = true }, isNode), "nft", "-f", "-");
        Assert.True(code == 0, output);
        var listed = host.Exec("nft", "list", "table", "inet", "meshfabric");
        Assert.Contains("iifname \"mf*\" ip daddr @remote4 notrack", listed, StringComparison.Ordinal);
        Assert.Contains("iifname \"mf*\" ip6 daddr @remote6 notrack", listed, StringComparison.Ordinal);
        Assert.DoesNotContain("@remote4 notrack", Nftables.Replace(Config), StringComparison.Ordinal);
    }

    [Fact]
    public void On_a_node_nothing_is_left_untracked_here_for_the_nodes_own_table_decides_that()
    {
        using var host = new NetworkNamespace();
        var (code, output) = host.Try(Nftables.Replace(Config, isNode: true), "nft", "-f", "-");
        Assert.True(code == 0, output);
        var listed = host.Exec("nft", "list", "table", "inet", "meshfabric");
        Assert.DoesNotContain("notrack", listed, StringComparison.Ordinal);
        Assert.Contains("iifname \"mf*\" ip daddr 100.65.0.0/16 ip daddr set", listed, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_mesh_makes_an_empty_table_that_the_kernel_accepts()
    {
        using var host = new NetworkNamespace();
        var (code, output) = host.Try(Nftables.Replace(FirewallConfig.None), "nft", "-f", "-");
        Assert.True(code == 0, output);
    }

    [Fact]
    public void Foreign_tables_are_left_alone_and_removing_ours_leaves_only_them()
    {
        using var host = new NetworkNamespace();
        host.Exec("nft", "add", "table", "ip", "foreign");
        host.Try(Nftables.Replace(Config), "nft", "-f", "-");
        host.Try("add table inet meshfabric\ndelete table inet meshfabric\n", "nft", "-f", "-");
        Assert.Equal("table ip foreign\n", host.Exec("nft", "list", "tables"));
    }
}
