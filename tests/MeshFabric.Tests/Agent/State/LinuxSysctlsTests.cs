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
        _sysctls.Prepare(forwards: true);
        Assert.Equal(["1", "1", "1", "1"], All());
        // Another process, after a restart.
        New().Prepare(forwards: true);
        New().Restore();
        Assert.Equal(["0", "1", "0", "2"], All());
    }

    [Fact]
    public void A_machine_with_nothing_behind_it_does_not_forward()
    {
        _sysctls.Prepare(forwards: false);
        Assert.Equal(["0", "1", "1", "1"], All());
    }

    [Fact]
    public void What_somebody_else_changed_since_stays_theirs()
    {
        _sysctls.Prepare(forwards: true);
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

    LinuxSysctls New() => new(new AgentStateDirectory(_folder.File("state")), _folder.File("sys"));

    string Setting(string name) => Path.Combine(_folder.File("sys"), name);

    string[] All() => [.. new[] { "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/fib_multipath_hash_policy", "net/ipv6/fib_multipath_hash_policy" }.Select(n => File.ReadAllText(Setting(n)))];
}
