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
        ],
        [Cidr.Parse("10.20.0.0/16"), Cidr.Parse("fd10:1::/48")],
        [Cidr.Parse("10.10.0.0/16"), Cidr.Parse("100.64.0.0/16"), Cidr.Parse("198.19.0.5/32"), Cidr.Parse("fd10:2::/48")],
        [Cidr.Parse("198.19.0.1/32"), Cidr.Parse("fd6d:6700::1/128")]);

    [Fact]
    public void The_kernel_accepts_the_table_as_one_transaction_again_and_again()
    {
        using var host = new NetworkNamespace();
        for (var i = 0; i < 3; i++)
        {
            var (code, output) = host.Try(Nftables.Replace(Config, 1420), "nft", "-f", "-");
            Assert.True(code == 0, output);
        }

        Assert.Contains("ip daddr 100.65.0.0/16 notrack", host.Exec("nft", "list", "table", "inet", "meshfabric"), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_mesh_makes_an_empty_table_that_the_kernel_accepts()
    {
        using var host = new NetworkNamespace();
        var (code, output) = host.Try(Nftables.Replace(FirewallConfig.None, 1420), "nft", "-f", "-");
        Assert.True(code == 0, output);
    }

    [Fact]
    public void Foreign_tables_are_left_alone_and_removing_ours_leaves_only_them()
    {
        using var host = new NetworkNamespace();
        host.Exec("nft", "add", "table", "ip", "foreign");
        host.Try(Nftables.Replace(Config, 1420), "nft", "-f", "-");
        host.Try("add table inet meshfabric\ndelete table inet meshfabric\n", "nft", "-f", "-");
        Assert.Equal("table ip foreign\n", host.Exec("nft", "list", "tables"));
    }
}
