using System.Net;
using MeshFabric.Agent.Linux;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Host.Tests.Agent;

public sealed class NodeNftablesTests
{
    static readonly NodeFirewall Config = new(
        [Cidr.Parse("10.10.0.0/16"), Cidr.Parse("fd10:10::/48")],
        [Cidr.Parse("10.20.0.0/16"), Cidr.Parse("198.19.0.3/32"), Cidr.Parse("fd10:20::/48")],
        [IPAddress.Parse("10.10.1.1"), IPAddress.Parse("fd10:10:0:1::1")],
        [Cidr.Parse("10.10.2.0/24"), Cidr.Parse("fd10:10:0:2::/64")],
        [Cidr.Parse("10.10.2.9/32")],
        ForwardsFirst: true)
    {
        ReturnMarks = [new ReturnMark("021122334455", 1), new ReturnMark("02aabbccddee", 2)],
        TranslatesServices = true,
    };

    [Fact]
    public void The_kernel_accepts_a_nodes_table_again_and_again()
    {
        using var host = new NetworkNamespace();
        for (var i = 0; i < 2; i++)
        {
            var (code, output) = host.Try(NodeNftables.Replace(Config), "nft", "-f", "-");
            Assert.True(code == 0, output);
        }

        var listed = host.Exec("nft", "list", "table", "inet", NodeNftables.Table);
        Assert.Contains("ip saddr 10.10.0.0/16 ip daddr @remote4 meta mark set meta mark & 0xffffbfff snat ip prefix to ip saddr map", listed, StringComparison.Ordinal);
        Assert.True(listed.IndexOf("iifname \"mf*\" ip daddr 10.10.2.9 accept", StringComparison.Ordinal) is > 0 and var lent && lent < listed.IndexOf("ip daddr 10.10.2.0/24 notrack", StringComparison.Ordinal), listed);
        Assert.Contains("iifname \"mf*\" ip saddr @remote4 ip daddr 10.10.2.0/24 notrack", listed, StringComparison.Ordinal);
        Assert.Contains("iifname \"meshx1\" ether saddr 02:aa:bb:cc:dd:ee ct direction original ct mark set ct mark & 0xfffffff2 | 0x00000002", listed, StringComparison.Ordinal);
        Assert.Contains("ct direction reply ct mark & 0x0000000f == 0x00000001 meta mark set", listed, StringComparison.Ordinal);
        Assert.Contains("iifname \"mf*\" ct status dnat ct direction original meta mark set meta mark", listed, StringComparison.Ordinal);
        Assert.Contains("snat ip to 10.10.1.1", listed, StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_of_an_empty_mesh_has_a_table_that_the_kernel_accepts()
    {
        using var host = new NetworkNamespace();
        var (code, output) = host.Try(NodeNftables.Replace(NodeFirewall.None with { LocalPrefixes = Config.LocalPrefixes }), "nft", "-f", "-");
        Assert.True(code == 0, output);
    }

    [Fact]
    public void What_pods_say_is_counted_by_direction_and_side()
    {
        using var host = new NetworkNamespace();
        var (code, output) = host.Try(NodeNftables.Replace(Config), "nft", "-f", "-");
        Assert.True(code == 0, output);
        var counts = LinuxNodeTraffic.Parse(host.Exec("nft", "-j", "list", "counters", "table", "inet", NodeNftables.Table));
        Assert.Equal(["in mesh 0", "in outside 0", "out mesh 0", "out outside 0"], counts.Select(c => $"{c.Direction} {c.Side} {c.Bytes}").Order(StringComparer.Ordinal));
    }
}
