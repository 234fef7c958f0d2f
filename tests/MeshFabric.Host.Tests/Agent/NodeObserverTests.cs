using MeshFabric.Agent.Linux;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Host.Tests.Agent;

/// <summary>What the observer asks a real kernel and real programs.</summary>
public sealed class NodeObserverTests : IDisposable
{
    readonly string _root = Directory.CreateTempSubdirectory("mf-node-").FullName;
    readonly NetworkNamespace _host = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public void Blackholes_are_those_of_table_main_in_both_families()
    {
        _host.Exec("ip", "link", "set", "lo", "up");
        _host.Exec("ip", "route", "add", "blackhole", "10.244.71.64/26", "proto", "80");
        _host.Exec("ip", "route", "add", "blackhole", "10.244.72.0/26", "proto", "bird");
        _host.Exec("ip", "-6", "route", "add", "blackhole", "fd00:244::/122", "proto", "80");
        _host.Exec("ip", "route", "add", "blackhole", "10.9.0.0/16", "table", "99", "proto", "80");
        _host.Exec("ip", "route", "add", "unreachable", "10.8.0.0/16", "proto", "80");
        using var netlink = RouteNetlink.Open(_host.Path);
        Assert.Equal(
            [new BlackholeRoute(Cidr.Parse("10.244.71.64/26"), 80), new BlackholeRoute(Cidr.Parse("10.244.72.0/26"), 12), new BlackholeRoute(Cidr.Parse("fd00:244::/122"), 80)],
            netlink.Blackholes());
    }

    [Fact]
    public async Task Calico_on_a_host_is_seen_with_its_blocks_and_an_operators_blackhole_is_not_one()
    {
        Configuration("10-calico.conflist", """{"name":"k8s-pod-network","plugins":[{"type":"calico","ipam":{"type":"calico-ipam"}}]}""");
        _host.Exec("ip", "link", "add", "vxlan.calico", "type", "vxlan", "id", "4096", "dstport", "4789");
        _host.Exec("ip", "address", "add", "10.244.71.65/32", "dev", "vxlan.calico");
        _host.Exec("ip", "link", "add", "cali0123456789a", "type", "veth", "peer", "name", "pod");
        _host.Exec("ip", "route", "add", "blackhole", "10.244.71.64/26", "proto", "80");
        _host.Exec("ip", "route", "add", "blackhole", "10.0.0.0/8", "proto", "static");
        // A pod with an address that another node's block lent, and one of the own block.
        _host.Exec("ip", "link", "set", "cali0123456789a", "up");
        _host.Exec("ip", "route", "add", "10.244.9.7/32", "dev", "cali0123456789a", "scope", "link");
        _host.Exec("ip", "route", "add", "10.244.71.66/32", "dev", "cali0123456789a", "scope", "link", "proto", "80");
        _host.Exec("iptables-nft", "-N", "cali-FORWARD");
        var seen = await ObserveAsync();
        var addressing = NodeAddressing.Of(seen, [Cidr.Parse("10.244.1.0/24")], [Cidr.Parse("10.244.0.0/16")]);
        Assert.Equal("[10.244.9.7/32, 10.244.71.64/26]", addressing.PodPrefixes.ToString());
        Assert.Equal("[10.244.71.65]", addressing.Sources.ToString());
        Assert.DoesNotContain(seen.Links, l => l.Name.StartsWith("cali0", StringComparison.Ordinal));
        Assert.True(seen.JudgesForwarding);
        Assert.Equal(("[nft]", "[cali-FORWARD]"), (seen.IptablesBackends.ToString(), seen.Chains.ToString()));
    }

    [Fact]
    public async Task Rules_of_both_iptables_backends_and_of_nftables_are_told_apart()
    {
        Write("proc/net/ip_tables_names", "nat\n");
        _host.Exec("iptables-legacy", "-t", "nat", "-N", "KUBE-SERVICES");
        _host.Exec("iptables-legacy", "-t", "nat", "-A", "PREROUTING", "-j", "KUBE-SERVICES");
        _host.Exec("iptables-nft", "-t", "nat", "-N", "FLANNEL-POSTRTG");
        _host.Exec("nft", "add table inet meshfabric-node { chain c { } ; }");
        _host.Exec("nft", "add table ip flannel-ipv4 { chain postrtg { } ; }");
        var seen = await ObserveAsync();
        Assert.Equal(("[legacy, nft]", "[FLANNEL-POSTRTG, KUBE-SERVICES]", "[ip flannel-ipv4]", "iptables"), (seen.IptablesBackends.ToString(), seen.Chains.ToString(), seen.NftTables.ToString(), seen.ProxyMode));
    }

    [Fact]
    public async Task Weaves_ranges_are_read_from_its_set()
    {
        Configuration("10-weave.conflist", """{"name":"weave","plugins":[{"type":"weave-net"}]}""");
        _host.Exec("ip", "link", "add", "weave", "type", "bridge");
        _host.Exec("ip", "address", "add", "10.32.96.0/12", "dev", "weave");
        _host.Exec("ipset", "create", "weaver-no-masq-local", "hash:net");
        _host.Exec("ipset", "add", "weaver-no-masq-local", "10.32.96.0/19");
        var addressing = NodeAddressing.Of(await ObserveAsync(), [Cidr.Parse("10.244.1.0/24")], []);
        Assert.Equal(("[10.32.96.0/19]", "[10.32.96.0]"), (addressing.PodPrefixes.ToString(), addressing.Sources.ToString()));
    }

    Task<NodeObservation> ObserveAsync() => new LinuxNodeObserver(_root, new LinuxNodeQueries(_host.Path)).ObserveAsync(Cancel);

    void Configuration(string file, string text) => Write($"etc/cni/net.d/{file}", text);

    void Write(string path, string text)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
