using System.Net;
using MeshFabric.Lab;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Lab;

/// <summary>The lab itself, without the product: what the other tests stand on.</summary>
[Collection(WholeMachine.Name)]
public sealed class LabTests
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Hosts_reach_each_other_over_the_internet_and_pods_of_other_clusters_do_not()
    {
        await using var lab = await MeshFabric.Lab.Lab.CreateAsync(Spec("t-inet"), null, Cancellation);
        await using var servers = PodServers.Start(lab.Topology);

        Assert.Contains(" 0% packet loss", await lab.ShellAsync("a-gw1", "ping -c 2 -W 5 203.0.113.2", Cancellation), StringComparison.Ordinal);
        Assert.Contains(" 0% packet loss", await lab.ShellAsync("a-gw2", $"ping -c 2 -W 5 {lab.Topology["b-gw1"].Address}", Cancellation), StringComparison.Ordinal);

        var (from, near, far) = (lab.Topology["a-w1-p1"], lab.Topology["a-w2-p1"], lab.Topology["b-w1-p1"]);
        Assert.Equal(from.Address, await PodClient.SeenAsAsync(from, near.Address!, Limit, Cancellation));
        Assert.Equal(from.Address6, await PodClient.SeenAsAsync(from, near.Address6!, Limit, Cancellation));
        Assert.Null(await PodClient.SeenAsAsync(from, far.Address!, TimeSpan.FromSeconds(2), Cancellation));
    }

    [Fact]
    public async Task The_source_address_is_kept_through_the_gateways_and_lost_where_a_worker_masquerades_the_mesh()
    {
        await using var lab = await MeshFabric.Lab.Lab.CreateAsync(Spec("t-src"), null, Cancellation);
        await using var servers = PodServers.Start(lab.Topology);
        await RouteInClearAsync(lab, "a", "b");
        await RouteInClearAsync(lab, "b", "a");
        var (from, to) = (lab.Topology["a-w1-p1"], lab.Topology["b-w1-p1"]);
        Assert.Equal(from.Address, await PodClient.SeenAsAsync(from, to.Address!, Limit, Cancellation));

        await lab.ShellAsync("a-w1", "nft add rule ip lab-cni post oifname lan masquerade", Cancellation);
        Assert.Equal(IPAddress.Parse("172.31.1.21"), await PodClient.SeenAsAsync(from, to.Address!, Limit, Cancellation));
    }

    [Fact]
    public async Task A_stream_of_pings_counts_what_was_lost_and_nothing_else()
    {
        await using var lab = await MeshFabric.Lab.Lab.CreateAsync(Spec("t-ping"), null, Cancellation);
        await using var servers = PodServers.Start(lab.Topology);
        var (from, to) = (lab.Topology["a-w1-p1"], lab.Topology["a-w2-p1"]);

        await using var whole = PingStream.Start(from, to.Address!);
        await Task.Delay(2000, Cancellation);
        var nothing = await whole.StopAsync();
        Assert.Equal(0, nothing.Lost);
        Assert.InRange(nothing.Sent, 150, 250);

        await using var cut = PingStream.Start(from, to.Address!);
        await Task.Delay(500, Cancellation);
        await lab.ShellAsync("a-lan", "ip link set w2 down", Cancellation);
        await Task.Delay(1000, Cancellation);
        await lab.ShellAsync("a-lan", "ip link set w2 up", Cancellation);
        await Task.Delay(1000, Cancellation);
        var broken = await cut.StopAsync();
        Assert.InRange(broken.Lost, 50, broken.Sent - 50);
        Assert.Equal(0, broken.Duplicates);
    }

    [Fact]
    public async Task Each_host_has_its_own_run_and_state_directories_the_same_for_all_its_programs()
    {
        await using var lab = await MeshFabric.Lab.Lab.CreateAsync(Spec("t-dirs"), null, Cancellation);
        await lab.ShellAsync("a-gw1", "echo one >/run/wireguard/x; echo two >/var/lib/meshfabric/y", Cancellation);
        Assert.Equal("one\ntwo\n", await lab.ShellAsync("a-gw1", "cat /run/wireguard/x /var/lib/meshfabric/y", Cancellation));
        Assert.Equal("", await lab.ShellAsync("a-gw2", "ls /run/wireguard /var/lib/meshfabric | grep -v : || true", Cancellation).ContinueWith(t => t.Result.Trim(), Cancellation));
        Assert.False(File.Exists("/run/wireguard/x"));
    }

    [Fact]
    public async Task A_program_outlives_its_starter_and_can_be_killed_and_started_again()
    {
        await using var lab = await MeshFabric.Lab.Lab.CreateAsync(Spec("t-proc"), null, Cancellation);
        var first = await lab.StartAsync("a-gw1", "sleeper", ["sh", "-c", "echo up; exec sleep 1000"], Cancellation);
        var again = MeshFabric.Lab.Lab.Attach("t-proc")!.Process("a-gw1", "sleeper");
        Assert.NotNull(first.Pid);
        Assert.Equal(first.Pid, again.Pid);

        await again.StopAsync("KILL", Cancellation);
        Assert.Null(first.Pid);
        var second = await lab.StartAsync("a-gw1", "sleeper", ["sh", "-c", "echo up again; exec sleep 1000"], Cancellation);
        Assert.NotNull(second.Pid);
        await Until.TrueAsync(() => second.LogTail() == "up\nup again", Limit, "both outputs in the log", Cancellation);
    }

    [Fact]
    public async Task A_removed_lab_leaves_no_trace_and_labs_live_side_by_side()
    {
        var before = await TracesAsync();
        await using var one = await MeshFabric.Lab.Lab.CreateAsync(Spec("t-x"), null, Cancellation);
        await using var two = await MeshFabric.Lab.Lab.CreateAsync(Spec("t-x-y"), null, Cancellation);
        await one.StartAsync("a-gw1", "sleeper", ["sleep", "1234"], Cancellation);
        await two.StartAsync("a-gw1", "sleeper", ["sleep", "1234"], Cancellation);
        await one.ShellAsync("a-gw1", "nft add table inet foreign", Cancellation);

        await one.DeleteAsync(Cancellation);
        Assert.NotNull(two.Process("a-gw1", "sleeper").Pid);
        Assert.Contains(" 0% packet loss", await two.ShellAsync("a-gw1", "ping -c 1 -W 5 203.0.113.2", Cancellation), StringComparison.Ordinal);

        await two.DeleteAsync(Cancellation);
        Assert.Equal(before, await TracesAsync());
    }

    [Fact]
    public async Task A_gateway_behind_a_nat_box_dials_out_and_cannot_be_dialled()
    {
        var spec = new LabSpec("t-nat", [new ClusterSpec("a", "10.1.0.0/16") { Nat = new NatSpec() }, new ClusterSpec("b", "10.2.0.0/16")]);
        await using var lab = await MeshFabric.Lab.Lab.CreateAsync(spec, null, Cancellation);
        await lab.ShellAsync("a-gw2", "ping -c 1 -W 5 203.0.113.2", Cancellation);
        var inwards = await lab.ExecAsync("b-gw1", ["ping", "-c", "1", "-W", "1", lab.Topology["a-gw1"].Address!.ToString()], Cancellation);
        Assert.NotEqual(0, inwards.ExitCode);
    }

    [Fact]
    public void A_name_that_cannot_be_used_and_a_host_that_is_not_there_are_told()
    {
        Assert.Contains("lower-case", Assert.Throws<ArgumentException>(() => new LabTopology(new LabSpec("Über", []))).Message, StringComparison.Ordinal);
        Assert.Contains("it has inet, control", Assert.Throws<KeyNotFoundException>(() => new LabTopology(new LabSpec("x", []))["nowhere"]).Message, StringComparison.Ordinal);
    }

    static LabSpec Spec(string name) => new(
        name,
        [
            new ClusterSpec("a", "10.1.0.0/16") { Workers = 2, PodsPerWorker = 1, PodCidr6 = "fd10:1::/48" },
            new ClusterSpec("b", "10.2.0.0/16") { PodsPerWorker = 1, PodCidr6 = "fd10:2::/48" },
        ]);

    /// <summary>Stands in for a tunnel: the first gateways hand each other's pod ranges over in the open.</summary>
    static async Task RouteInClearAsync(MeshFabric.Lab.Lab lab, string from, string to)
    {
        var (near, far) = (lab.Topology.Cluster(from), lab.Topology.Cluster(to));
        for (var gateway = 1; gateway <= 2; gateway++)
        {
            var router = LabTopology.At(near.WanOf(gateway), 1);
            // The masquerading of the internet side does not hold for a tunnel.
            await lab.ShellAsync($"{from}-gw{gateway}", $"nft delete table inet lab-cni; ip route add {far.Spec.PodCidr} via {router}", Cancellation);
        }

        await lab.ShellAsync("inet", $"ip route add {far.Spec.PodCidr} via {lab.Topology[$"{to}-gw1"].Address}; ip route add {far.Lan} via {lab.Topology[$"{to}-gw1"].Address}", Cancellation);
        await lab.ShellAsync($"{from}-w1", $"ip route replace {far.Lan} via {LabTopology.At(near.Lan, 11)}", Cancellation);
        await lab.ShellAsync($"{from}-gw1", $"ip route replace {far.Lan} via {LabTopology.At(near.WanOf(1), 1)}", Cancellation);
    }

    /// <summary>What a lab might leave: links, namespaces, mounts, rules, files, processes.</summary>
    static async Task<string> TracesAsync()
    {
        var script = """
            ip -o link | cut -d' ' -f2 | sort
            ls /run/netns 2>/dev/null | grep '^t-x' || true
            ls -d /run/wireguard /var/lib/meshfabric 2>/dev/null || true
            ls /var/lib/meshfabric-lab 2>/dev/null | grep '^t-x' || true
            nft list ruleset
            grep -c t-x /proc/mounts || true
            ps -eo args | grep '[s]leep 1234' || true
            """;
        return (await Command.RunAsync(["sh", "-c", script], null, Cancellation)).Output;
    }
}
