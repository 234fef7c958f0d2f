using MeshFabric.Agent.Linux;
using MeshFabric.Agent.State;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Agent.State;

public sealed class LinuxSysctlsTests : IDisposable
{
    readonly TemporaryDirectory _folder = new();
    readonly LinuxSysctls _sysctls;

    public LinuxSysctlsTests()
    {
        foreach (var (name, value) in new[] { ("net/ipv4/ip_forward", "0"), ("net/ipv6/conf/all/forwarding", "1"), ("net/ipv4/fib_multipath_hash_policy", "0"), ("net/ipv6/fib_multipath_hash_policy", "2") })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Setting(name))!);
            File.WriteAllText(Setting(name), value);
        }

        _sysctls = New();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_gateway_forwards_and_leaving_puts_back_what_was_there()
    {
        _sysctls.Prepare(forwards: true, forwards6: true);
        Assert.Equal(["1", "1", "1", "1"], All());
        // Another process, after a restart.
        New().Prepare(forwards: true, forwards6: true);
        New().Restore();
        Assert.Equal(["0", "1", "0", "2"], All());
    }

    [Fact]
    public void A_machine_with_nothing_behind_it_does_not_forward()
    {
        _sysctls.Prepare(forwards: false, forwards6: false);
        Assert.Equal(["0", "1", "1", "1"], All());
    }

    [Fact]
    public void What_somebody_else_changed_since_stays_theirs()
    {
        _sysctls.Prepare(forwards: true, forwards6: true);
        File.WriteAllText(Setting("net/ipv6/fib_multipath_hash_policy"), "3");
        New().Restore();
        Assert.Equal(["0", "1", "0", "3"], All());
    }

    [Fact]
    public void Putting_back_what_was_never_changed_is_no_failure()
    {
        New().Restore();
        Assert.Equal(["0", "1", "0", "2"], All());
    }

    [Fact]
    public void Without_IPv6_among_its_own_prefixes_a_host_does_not_begin_to_forward_it()
    {
        File.WriteAllText(Setting("net/ipv6/conf/all/forwarding"), "0");
        _sysctls.Prepare(forwards: true, forwards6: false);
        Assert.Equal(["1", "0", "1", "1"], All());
    }

    [Fact]
    public void A_default_route_that_a_router_advertised_outlives_forwarding_and_no_other_device_listens_to_routers_by_that()
    {
        File.WriteAllText(Setting("net/ipv6/conf/all/forwarding"), "0");
        foreach (var device in new[] { "uplink", "static", "pod" })
        {
            Directory.CreateDirectory(Setting($"net/ipv6/conf/{device}"));
            File.WriteAllText(Setting($"net/ipv6/conf/{device}/accept_ra"), "1");
        }

        File.WriteAllText(_folder.File("ipv6_route"), """
            00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003   uplink
            00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003   static
            fd100000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001      pod
            """);
        _sysctls.Prepare(forwards: true, forwards6: true);
        Assert.Equal(["2", "1", "1"], new[] { "uplink", "static", "pod" }.Select(d => File.ReadAllText(Setting($"net/ipv6/conf/{d}/accept_ra"))));
        New().Restore();
        Assert.Equal("1", File.ReadAllText(Setting("net/ipv6/conf/uplink/accept_ra")));
        Assert.Equal("0", File.ReadAllText(Setting("net/ipv6/conf/all/forwarding")));
    }

    LinuxSysctls New() => new(new AgentStateDirectory(_folder.File("state")), _folder.File("sys"), _folder.File("ipv6_route"));

    string Setting(string name) => Path.Combine(_folder.File("sys"), name);

    string[] All() => [.. new[] { "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/fib_multipath_hash_policy", "net/ipv6/fib_multipath_hash_policy" }.Select(n => File.ReadAllText(Setting(n)))];
}
