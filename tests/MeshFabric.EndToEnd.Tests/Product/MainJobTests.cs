using System.Diagnostics;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>Three clusters joined by the CLI on a lab with the real programs, PostgreSQL, RabbitMQ and WireGuard; shared by the tests below.</summary>
public sealed class JoinedLab : IAsyncLifetime
{
    public const string Name = "e2e";

    public string Directory => $"/var/lib/meshfabric-lab/{Name}";

    static readonly string Root = FindRoot();

    public async ValueTask InitializeAsync()
    {
        await ShellAsync("scripts/lab.sh down; scripts/lab.sh up", TimeSpan.FromMinutes(4));
        await ShellAsync($"cp {Directory}/pki/ca.crt {Directory}/ca.crt; ip netns exec {Name}-ctl out/mfctl login https://203.0.113.2:8443 --token-file {Directory}/admin.token --ca-file {Directory}/ca.crt");
        foreach (var (cluster, net) in new[] { ("aurora", "10.10"), ("borealis", "10.20"), ("cirrus", "10.20") })
        {
            await File.WriteAllTextAsync($"{Directory}/{cluster}.yaml", $"apiVersion: meshfabric.io/v1\nkind: ClusterInventory\nmetadata: {{name: {cluster}}}\nspec: {{kind: site, podCidrs: [{net}.0.0/16]}}\n");
            await ShellAsync($"ip netns exec {Name}-ctl out/mfctl cluster join {cluster} --inventory {Directory}/{cluster}.yaml --gateway gw1=$(cat {Directory}/{cluster}-gw1.address):51820 --gateway gw2=$(cat {Directory}/{cluster}-gw2.address):51820 --via 'ip netns exec {Name}-{cluster}-{{gateway}}' --agent $PWD/out/meshfabric-agent --state {Directory}/{cluster}-{{gateway}}/state");
        }

        var last = Stopwatch.StartNew();
        await UntilAsync("a pod of aurora gets an answer from cirrus", () => PingsAsync("aurora", "100.64.2.11"));
        FirstReply = last.Elapsed;
        await ShellAsync($"ip netns exec {Name}-ctl out/mfctl status --wait --timeout 90");
    }

    public async ValueTask DisposeAsync() => await ShellAsync("scripts/lab.sh down");

    /// <summary>From the return of the last join to the first answer pod to pod.</summary>
    public TimeSpan FirstReply { get; private set; }

    public async Task<bool> PingsAsync(string cluster, string address) => (await TryAsync($"ip netns exec {Name}-{cluster}-p1 ping -c 1 -W 1 {address}", TimeSpan.FromSeconds(10))).Code == 0;

    public async Task<string> ShellAsync(string script, TimeSpan? limit = null)
    {
        var (code, output) = await TryAsync(script, limit ?? TimeSpan.FromMinutes(2));
        return code == 0 ? output : throw new InvalidOperationException($"{script} failed with {code}: {output}");
    }

    public static async Task UntilAsync(string what, Func<Task<bool>> condition, int seconds = 60)
    {
        var started = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(started.Elapsed.TotalSeconds < seconds, $"not within {seconds} s: {what}");
            await Task.Delay(50);
        }
    }

    // Output goes to a file: daemons that a script leaves behind would keep a pipe open.
    public async Task<(int Code, string Output)> TryAsync(string script, TimeSpan limit)
    {
        var file = Path.GetTempFileName();
        var start = new ProcessStartInfo("bash", ["-c", $"( {script} ) >{file} 2>&1 </dev/null"]) { WorkingDirectory = Root };
        start.Environment["MF_LAB"] = Name;
        start.Environment["MESHFABRIC_CONFIG"] = $"{Directory}/mfctl.json";
        using var process = Process.Start(start)!;
        using var cancel = new CancellationTokenSource(limit);
        await process.WaitForExitAsync(cancel.Token);
        var output = await File.ReadAllTextAsync(file);
        File.Delete(file);
        return (process.ExitCode, output);
    }

    static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "MeshFabric.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("run from a checkout: MeshFabric.sln was not found");
    }
}

[Collection(WholeMachine.Name)]
public sealed class MainJobTests(JoinedLab lab) : IClassFixture<JoinedLab>
{
    [Fact]
    public void The_first_pod_answers_soon_after_the_last_join() =>
        Assert.True(lab.FirstReply < TimeSpan.FromSeconds(20), $"took {lab.FirstReply}");

    [Theory]
    [InlineData("aurora", "borealis", "10.20.2.11", "10.10.2.11")]
    [InlineData("aurora", "cirrus", "100.64.2.11", "10.10.2.11")]
    [InlineData("borealis", "cirrus", "100.64.2.11", "100.65.2.11")]
    [InlineData("cirrus", "borealis", "100.65.2.11", "100.64.2.11")]
    [InlineData("cirrus", "aurora", "10.10.2.11", "100.64.2.11")]
    public async Task The_server_sees_the_pods_own_mesh_address(string from, string to, string address, string seen)
    {
        await lab.ShellAsync($"ip netns exec {JoinedLab.Name}-{to}-p1 timeout 30 socat TCP-LISTEN:9000,fork,reuseaddr 'SYSTEM:printf %s $SOCAT_PEERADDR' & sleep 0.5");
        var answer = await lab.ShellAsync($"for i in 1 2 3 4 5; do ip netns exec {JoinedLab.Name}-{from}-p1 socat -u TCP:{address}:9000,connect-timeout=4 - && break; sleep 0.5; done");
        Assert.EndsWith(seen, answer.Trim(), StringComparison.Ordinal);
        await lab.ShellAsync($"for p in $(ip netns pids {JoinedLab.Name}-{to}-p1); do kill $p; done; sleep 0.2");
    }

    [Fact]
    public async Task Without_the_agents_tables_the_source_would_be_masqueraded()
    {
        // The negative twin of the test above: to the internet, the very same pod is seen as its gateway.
        await lab.ShellAsync($"ip netns exec {JoinedLab.Name}-ctl timeout 30 socat TCP-LISTEN:9100,fork,reuseaddr 'SYSTEM:printf %s $SOCAT_PEERADDR' & sleep 0.5");
        var answer = await lab.ShellAsync($"ip netns exec {JoinedLab.Name}-aurora-p1 socat -u TCP:203.0.113.2:9100,connect-timeout=4 -");
        Assert.StartsWith("198.51.100.", answer.Trim(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_lost_while_the_control_plane_and_an_agent_are_killed_and_it_converges_after()
    {
        await lab.ShellAsync($"(ip netns exec {JoinedLab.Name}-aurora-p2 ping -i 0.01 -c 1200 -q 10.20.2.12 >{lab.Directory}/ping1 2>&1 &); (ip netns exec {JoinedLab.Name}-cirrus-p2 ping -i 0.01 -c 1200 -q 100.65.2.12 >{lab.Directory}/ping2 2>&1 &); sleep 1");
        await lab.ShellAsync($"for i in 1 2 3; do for p in $(ip netns pids {JoinedLab.Name}-ctl); do kill -9 $p 2>/dev/null; done; done; kill -9 $(cat {lab.Directory}/aurora-gw1/pid); sleep 1; scripts/lab.sh agent aurora-gw1");
        await JoinedLab.UntilAsync("both streams end", async () => (await lab.TryAsync($"grep -q transmitted {lab.Directory}/ping1 && grep -q transmitted {lab.Directory}/ping2", TimeSpan.FromSeconds(10))).Code == 0, 120);
        foreach (var stream in new[] { "ping1", "ping2" })
        {
            Assert.Contains("1200 packets transmitted, 1200 received, 0% packet loss", await File.ReadAllTextAsync($"{lab.Directory}/{stream}"), StringComparison.Ordinal);
        }

        await lab.ShellAsync("rm -f $(scripts/lab.sh dir)/pg/data/postmaster.pid; scripts/lab.sh postgres; scripts/lab.sh rabbit; scripts/lab.sh control", TimeSpan.FromMinutes(4));
        await lab.ShellAsync($"ip netns exec {JoinedLab.Name}-ctl out/mfctl status --wait --timeout 100", TimeSpan.FromMinutes(2));
    }

    [Theory]
    [InlineData("nft delete table inet meshfabric", "nft list table inet meshfabric")]
    [InlineData("ip route flush proto 77", "ip route show proto 77 | grep -q 10.20.0.0/16")]
    [InlineData("ip link del mf0", "ping -c 1 -W 1 -I mf0 198.19.0.3")]
    public async Task What_is_changed_behind_the_agents_back_is_repaired_and_foreign_tables_stay(string harm, string repaired)
    {
        var gateway = $"ip netns exec {JoinedLab.Name}-aurora-gw1 sh -c";
        await lab.ShellAsync($"{gateway} 'nft add table ip foreign; {harm}'");
        await JoinedLab.UntilAsync(repaired, async () => (await lab.TryAsync($"{gateway} '{repaired}'", TimeSpan.FromSeconds(20))).Code == 0, 30);
        Assert.Contains("table ip foreign", await lab.ShellAsync($"{gateway} 'nft list tables'"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_CLI_shows_tunnels_answers_pings_and_finds_no_difference()
    {
        var mfctl = $"ip netns exec {JoinedLab.Name}-ctl out/mfctl";
        Assert.Contains("connected", await lab.ShellAsync($"{mfctl} tunnel list"), StringComparison.Ordinal);
        Assert.Contains("\"state\"", await lab.ShellAsync($"{mfctl} status -o json"), StringComparison.Ordinal);
        Assert.Equal(3, (await lab.TryAsync($"{mfctl} cluster get nobody", TimeSpan.FromSeconds(30))).Code);
        Assert.Equal(2, (await lab.TryAsync($"{mfctl} cluster remove aurora", TimeSpan.FromSeconds(30))).Code);
    }
}
