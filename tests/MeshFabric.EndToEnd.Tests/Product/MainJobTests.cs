using System.Net;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>Three clusters are one flat network, and stay so whatever breaks around them.</summary>
[Collection(WholeMachine.Name)]
public sealed class MainJobTests(JoinedMesh mesh) : IClassFixture<JoinedMesh>
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // The figure itself is the benchmark's; this is only about "soon".
    [Fact]
    public void The_first_pod_answers_soon_after_the_last_join() =>
        Assert.True(mesh.FirstReply < TimeSpan.FromSeconds(30), $"took {mesh.FirstReply}");

    [Theory]
    [InlineData("aurora", "10.20.1.10", "10.10.1.10")]
    [InlineData("aurora", "100.64.1.10", "10.10.1.10")]
    [InlineData("borealis", "10.10.1.10", "10.20.1.10")]
    [InlineData("borealis", "100.64.1.10", "100.65.1.10")]
    [InlineData("cirrus", "10.10.1.10", "100.64.1.10")]
    [InlineData("cirrus", "100.65.1.10", "100.64.1.10")]
    [InlineData("aurora", "fd10:20:0:1::a", "fd10:10:0:1::a")]
    [InlineData("aurora", "fd6d:6600:0:1::a", "fd10:10:0:1::a")]
    [InlineData("borealis", "fd6d:6600:0:1::a", "fd6d:6600:1:1::a")]
    [InlineData("cirrus", "fd6d:6600:1:1::a", "fd6d:6600:0:1::a")]
    public async Task The_server_sees_the_pods_own_mesh_address(string from, string address, string seen)
    {
        await mesh.ReachesAsync($"{from}-w1-p1", address, Cancellation);
        Assert.Equal(IPAddress.Parse(seen), await mesh.SeenAsAsync($"{from}-w1-p1", address, Cancellation));
    }

    /// <summary>The negative twin of the test above: the gateway does masquerade, unless the agent's table says otherwise.</summary>
    [Fact]
    public async Task Without_the_agents_tables_the_source_is_masqueraded_and_the_agent_mends_it()
    {
        foreach (var gateway in new[] { "aurora-gw1", "aurora-gw2" })
        {
            await mesh.Mesh.Agent(gateway).StopAsync("KILL", Cancellation);
            await mesh.Lab.ShellAsync(gateway, "nft delete table inet meshfabric", Cancellation);
        }

        var masqueraded = await mesh.SeenAsAsync("aurora-w1-p1", "10.20.1.10", Cancellation);
        foreach (var gateway in new[] { "aurora-gw1", "aurora-gw2" })
        {
            await mesh.Mesh.StartAgentAsync(gateway, Cancellation);
        }

        Assert.StartsWith("198.19.", masqueraded?.ToString(), StringComparison.Ordinal);
        foreach (var gateway in new[] { "aurora-gw1", "aurora-gw2" })
        {
            await Until.TrueAsync(() => mesh.SucceedsAsync(gateway, "nft list table inet meshfabric"), JoinedMesh.Limit, $"{gateway} to have its table again", Cancellation);
        }

        await Until.TrueAsync(async () => IPAddress.Parse("10.10.1.10").Equals(await mesh.SeenAsAsync("aurora-w1-p1", "10.20.1.10", Cancellation)), JoinedMesh.Limit, "the source address to be kept again", Cancellation);
    }

    [Fact]
    public async Task Closed_ports_and_too_large_packets_are_told_through_the_remap()
    {
        // Port unreachable (RFC 792) and fragmentation needed (RFC 1191), both about a packet whose addresses were translated.
        var refused = await mesh.Lab.ExecAsync("aurora-w1-p1", ["sh", "-c", "echo x | socat -t 3 - UDP:100.64.1.10:9999"], Cancellation);
        Assert.Contains("refused", refused.Error + refused.Output, StringComparison.OrdinalIgnoreCase);
        var large = await mesh.Lab.ExecAsync("cirrus-w1-p1", ["ping", "-c", "3", "-W", "2", "-M", "do", "-s", "1472", "100.65.1.10"], Cancellation);
        Assert.Contains("1420", large.Output + large.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("control service")]
    [InlineData("PostgreSQL")]
    [InlineData("RabbitMQ")]
    [InlineData("all of them, and an agent that is started again meanwhile")]
    public async Task Not_one_packet_is_lost_while_it_is_killed_and_all_converges_after(string what)
    {
        var control = mesh.Mesh.Control;
        await using var plain = PingStream.Start(mesh["aurora-w1-p2"], IPAddress.Parse("10.20.1.11"));
        await using var remapped = PingStream.Start(mesh["cirrus-w1-p2"], IPAddress.Parse("100.65.1.11"));
        await Until.TrueAsync(() => plain.Answered > 100 && remapped.Answered > 100, JoinedMesh.Limit, "the streams to flow", Cancellation);
        switch (what)
        {
            case "control service":
                await control.Service.StopAsync("KILL", Cancellation);
                break;
            case "PostgreSQL":
                await control.Database.Kill9Async(Cancellation);
                break;
            case "RabbitMQ":
                await control.Broker.Kill9Async(Cancellation);
                break;
            default:
                await control.Kill9Async(Cancellation);
                await mesh.Mesh.Agent("aurora-gw1").StopAsync("KILL", Cancellation);
                await mesh.Mesh.StartAgentAsync("aurora-gw1", Cancellation);
                break;
        }

        var (sentPlain, sentRemapped) = (plain.Sent, remapped.Sent);
        await Until.TrueAsync(() => plain.Sent > sentPlain + 500 && remapped.Sent > sentRemapped + 500, JoinedMesh.Limit, "five seconds of traffic", Cancellation);
        await control.StartAsync(Cancellation);
        var (one, two) = (await plain.StopAsync(), await remapped.StopAsync());
        Assert.Equal((0, 0), (one.Lost, two.Lost));
        await ConvergesAsync();
    }

    [Fact]
    public async Task Every_tunnel_has_a_pre_shared_key_of_its_own_and_all_are_renewed_without_losing_a_packet()
    {
        string[] gateways = ["aurora-gw1", "aurora-gw2", "borealis-gw1", "borealis-gw2", "cirrus-gw1", "cirrus-gw2"];
        await Until.TrueAsync(async () => await KeysAsync(gateways) is { Count: 12 } keys && keys.All(k => k.Value.Distinct().Count() == 1 && k.Value[0] != "(none)"), JoinedMesh.Limit, "a key on both sides of every tunnel", Cancellation);
        var before = await KeysAsync(gateways);
        Assert.Equal(before.Count, before.Values.Select(v => v[0]).Distinct().Count());

        await using var plain = PingStream.Start(mesh["aurora-w1-p2"], IPAddress.Parse("10.20.1.11"));
        await using var remapped = PingStream.Start(mesh["cirrus-w1-p2"], IPAddress.Parse("100.65.1.11"));
        await Until.TrueAsync(() => plain.Answered > 100 && remapped.Answered > 100, JoinedMesh.Limit, "the streams to flow", Cancellation);
        var told = await mesh.MfctlAsync("tunnel", "rotate-key", "--all", "--pre-shared-only", "--reason", "a test");
        Assert.Contains("a test", told, StringComparison.Ordinal);
        await Until.TrueAsync(async () => (await KeysAsync(gateways)).All(k => k.Value.Distinct().Count() == 1 && k.Value[0] != before[k.Key][0]), JoinedMesh.Limit, "another key on both sides of every tunnel", Cancellation);

        // Somebody, or something, sets another one on one side.
        await mesh.Lab.ShellAsync("aurora-gw1", "head -c 32 /dev/urandom | base64 >/run/wrong; peer=$(wg show mf0 peers | head -1); wg set mf0 peer $peer preshared-key /run/wrong; rm /run/wrong", Cancellation);
        await Until.TrueAsync(async () => (await KeysAsync(gateways)).All(k => k.Value.Distinct().Count() == 1), JoinedMesh.Limit, "the right key again", Cancellation);
        var (one, two) = (await plain.StopAsync(), await remapped.StopAsync());
        Assert.True(one.Lost == 0 && two.Lost == 0, $"{one.Told}; {two.Told}");
    }

    [Fact]
    public async Task A_clusters_device_keys_change_without_losing_a_packet_and_the_former_are_gone_everywhere()
    {
        var before = await DeviceKeysAsync();
        await using var plain = PingStream.Start(mesh["aurora-w1-p2"], IPAddress.Parse("10.20.1.11"));
        await using var remapped = PingStream.Start(mesh["cirrus-w1-p2"], IPAddress.Parse("100.65.1.11"));
        await Until.TrueAsync(() => plain.Answered > 100 && remapped.Answered > 100, JoinedMesh.Limit, "the streams to flow", Cancellation);

        var told = await mesh.MfctlAsync("tunnel", "rotate-key", "borealis");

        Assert.Contains("settled", told, StringComparison.Ordinal);
        var after = await DeviceKeysAsync();
        foreach (var gateway in new[] { "borealis-gw1", "borealis-gw2" })
        {
            Assert.NotEqual(before[gateway], after[gateway]);
            Assert.Equal(after[gateway], (await mesh.Lab.ShellAsync(gateway, "wg pubkey </var/lib/meshfabric/device.key; [ ! -e /var/lib/meshfabric/device.key.next ]", Cancellation)).Trim());
        }

        Assert.Equal((before["aurora-gw1"], before["cirrus-gw2"]), (after["aurora-gw1"], after["cirrus-gw2"]));
        foreach (var gateway in new[] { "aurora-gw1", "aurora-gw2", "cirrus-gw1", "cirrus-gw2" })
        {
            await Until.TrueAsync(async () => (await mesh.Lab.ShellAsync(gateway, "wg show mf0 peers; wg show mf1 peers", Cancellation)).Split('\n') is var peers && peers.Contains(after["borealis-gw1"]) && peers.Contains(after["borealis-gw2"]) && !peers.Contains(before["borealis-gw1"]) && !peers.Contains(before["borealis-gw2"]),
                JoinedMesh.Limit, $"{gateway} to know the new keys only", Cancellation);
        }

        var (one, two) = (await plain.StopAsync(), await remapped.StopAsync());
        Assert.True(one.Lost == 0 && two.Lost == 0, $"{one.Told}; {two.Told}");
        await ConvergesAsync();
    }

    [Fact]
    public async Task An_agent_that_is_killed_while_its_devices_have_different_keys_goes_on_where_it_ended()
    {
        var before = await DeviceKeysAsync();
        await using var stream = PingStream.Start(mesh["aurora-w1-p2"], IPAddress.Parse("10.20.1.11"));
        var changing = mesh.MfctlAsync("tunnel", "rotate-key", "borealis");
        var left = await mesh.Lab.ShellAsync("borealis-gw1", $"""
            for i in $(seq 6000); do [ "$(wg show mf0 public-key)" = "$(wg show mf1 public-key)" ] || break; sleep 0.01; done
            kill -9 {mesh.Mesh.Agent("borealis-gw1").Pid}
            wg show mf0 public-key; wg show mf1 public-key
            """, Cancellation);
        Assert.Equal(2, left.Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Count());
        // A process of many threads is not gone the moment it is killed, and none is started where one runs.
        await Until.TrueAsync(() => mesh.Mesh.Agent("borealis-gw1").Pid is null, JoinedMesh.Limit, "the killed agent to be gone", Cancellation);
        await mesh.Mesh.StartAgentAsync("borealis-gw1", Cancellation);

        Assert.Contains("settled", await changing, StringComparison.Ordinal);
        Assert.NotEqual(before["borealis-gw1"], (await DeviceKeysAsync())["borealis-gw1"]);
        var report = await stream.StopAsync();
        TestContext.Current.SendDiagnosticMessage(report.Told);
        Assert.True(report.LongestGap < TimeSpan.FromSeconds(1), report.Told);
        await ConvergesAsync();
    }

    async Task<Dictionary<string, string>> DeviceKeysAsync()
    {
        var keys = new Dictionary<string, string>();
        foreach (var gateway in new[] { "aurora-gw1", "aurora-gw2", "borealis-gw1", "borealis-gw2", "cirrus-gw1", "cirrus-gw2" })
        {
            keys[gateway] = Assert.Single((await mesh.Lab.ShellAsync(gateway, "wg show mf0 public-key; wg show mf1 public-key", Cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct());
        }

        return keys;
    }

    /// <summary>By the public keys of both sides, the pre-shared key as each of their devices has it.</summary>
    async Task<Dictionary<string, List<string>>> KeysAsync(string[] gateways)
    {
        var keys = new Dictionary<string, List<string>>();
        foreach (var gateway in gateways)
        {
            var dump = await mesh.Lab.ShellAsync(gateway, "for device in mf0 mf1; do own=$(wg show $device public-key); wg show $device preshared-keys | sed \"s|^|$own |\"; done", Cancellation);
            foreach (var line in dump.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ', '\t')))
            {
                var pair = string.Join(' ', new[] { line[0], line[1] }.Order(StringComparer.Ordinal));
                (keys.TryGetValue(pair, out var known) ? known : keys[pair] = []).Add(line[2]);
            }
        }

        // Others may be in the mesh as well.
        return keys.Where(k => k.Value.Count == 2).ToDictionary();
    }

    [Theory]
    [InlineData("nft delete table inet meshfabric", "nft list table inet meshfabric | grep -q snat")]
    [InlineData("ip route flush table 7710", "ip route show table 7710 | grep -q 10.20.0.0/16")]
    [InlineData("ip -6 route flush table 7710", "ip -6 route show table 7710 | grep -q fd10:20::/48")]
    [InlineData("ip rule del priority 105; ip -6 rule del priority 105", "ip rule | grep -q 7710 && ip -6 rule | grep -q 7710")]
    [InlineData("ip addr flush dev mf0", "ip addr show dev mf0 | grep -q 198.19")]
    [InlineData("ip link set mf0 down", "ip link show mf0 | grep -q UP")]
    [InlineData("ip link del mf0", "ping -c 1 -W 1 -I mf0 198.19.0.3")]
    [InlineData("key=$(printf 'get=1\\n\\n' | socat -t 1 - UNIX-CONNECT:/run/wireguard/mf1.sock | sed -n 's/^public_key=//p' | head -1); printf 'set=1\\npublic_key=%s\\nremove=true\\n\\n' $key | socat -t 1 - UNIX-CONNECT:/run/wireguard/mf1.sock",
        "[ $(printf 'get=1\\n\\n' | socat -t 1 - UNIX-CONNECT:/run/wireguard/mf1.sock | grep -c ^public_key=) = 2 ]")]
    public async Task What_is_changed_behind_the_agents_back_is_repaired_and_what_is_not_ours_stays(string harm, string repaired)
    {
        await mesh.Lab.ShellAsync("aurora-gw1", $"nft add table ip foreign; ip route replace 192.0.2.0/24 dev lan proto 99; {harm}", Cancellation);
        await Until.TrueAsync(() => mesh.SucceedsAsync("aurora-gw1", repaired), TimeSpan.FromSeconds(30), repaired, Cancellation);
        Assert.True(await mesh.SucceedsAsync("aurora-gw1", "nft list table ip foreign && nft list table inet lab-cni && ip route show proto 99 | grep -q 192.0.2.0/24"));
        await ConvergesAsync();
    }

    [Fact]
    public async Task The_CLI_shows_tunnels_measures_them_and_finds_no_difference()
    {
        await ConvergesAsync();
        Assert.Contains("connected", await mesh.MfctlAsync("tunnel", "list"), StringComparison.Ordinal);
        Assert.Contains("\"state\"", await mesh.MfctlAsync("status", "-o", "json"), StringComparison.Ordinal);
        Assert.Contains("4/4", await mesh.MfctlAsync("ping", "aurora", "cirrus"), StringComparison.Ordinal);
        await Until.TrueAsync(async () => (await mesh.Mesh.TryMfctlAsync(Cancellation, "explain", "cirrus/gw1")).ExitCode == 0, JoinedMesh.Limit, "explain to find no difference", Cancellation);
        Assert.Equal(3, (await mesh.Mesh.TryMfctlAsync(Cancellation, "cluster", "get", "nobody")).ExitCode);
        Assert.Equal(2, (await mesh.Mesh.TryMfctlAsync(Cancellation, "cluster", "remove", "aurora")).ExitCode);
    }

    [Fact]
    public async Task An_agent_tells_about_itself_on_its_host_only()
    {
        await ConvergesAsync();
        var status = await mesh.Lab.ShellAsync("aurora-gw1", "meshfabric-agent status", Cancellation);
        Assert.Contains("gateway aurora/gw1", status, StringComparison.Ordinal);
        Assert.Contains("cirrus/gw2", status, StringComparison.Ordinal);
        var metrics = await mesh.Lab.ShellAsync("aurora-gw1", "curl -fsS http://127.0.0.1:9586/metrics", Cancellation);
        Assert.Contains("meshfabric_tunnel_receive_bytes_total{", metrics, StringComparison.Ordinal);
        Assert.Contains("meshfabric_wireguard_info{implementation=\"userspace\"", metrics, StringComparison.Ordinal);
        Assert.False(await mesh.SucceedsAsync("aurora-gw1", "curl -fsS http://127.0.0.1:9586/status"));
        Assert.True(await mesh.SucceedsAsync("aurora-gw1", "curl -fsS http://127.0.0.1:9586/readyz"));
    }

    /// <summary>Connections that come back by another gateway than they went by, and whose packets are cut by the tunnels' size, between clusters of which one has other addresses in the mesh.</summary>
    [Fact]
    public async Task Forty_connections_each_way_between_remapped_clusters_of_two_gateways_all_carry()
    {
        const int Connections = 40;
        const int Bytes = 256 << 10;
        await ConvergesAsync();
        await mesh.Lab.HashApartAsync(Cancellation);
        var before = await CarriedAsync();
        await Task.WhenAll(
            BulkTransfer.BothWaysAsync(mesh["aurora-w1-p1"], mesh["cirrus-w1-p1"], IPAddress.Parse("100.64.1.10"), Bytes, JoinedMesh.Limit, Cancellation, Connections),
            BulkTransfer.BothWaysAsync(mesh["cirrus-w1-p2"], mesh["aurora-w1-p2"], IPAddress.Parse("10.10.1.11"), Bytes, JoinedMesh.Limit, Cancellation, Connections));
        // Both gateways of both sides had their share, or nothing was shown.
        foreach (var ((gateway, bytes), was) in (await CarriedAsync()).Zip(before.Values))
        {
            Assert.True(bytes - was > Bytes, $"{gateway} carried {bytes - was} bytes only");
        }

        async Task<Dictionary<string, long>> CarriedAsync()
        {
            var carried = new Dictionary<string, long>();
            foreach (var gateway in new[] { "aurora-gw1", "aurora-gw2", "cirrus-gw1", "cirrus-gw2" })
            {
                var counters = await mesh.Lab.ShellAsync(gateway, "cat /sys/class/net/mf0/statistics/rx_bytes /sys/class/net/mf1/statistics/rx_bytes", Cancellation);
                carried[gateway] = counters.Split('\n', StringSplitOptions.RemoveEmptyEntries).Sum(c => long.Parse(c, System.Globalization.CultureInfo.InvariantCulture));
            }

            return carried;
        }
    }

    /// <summary>With all the files that it needs, wherever the program is started.</summary>
    [Fact]
    public async Task The_dashboard_comes_with_the_control_service()
    {
        var (url, token) = (ControlPlane.Url, mesh.Mesh.Control.AdminTokenFile);
        Assert.Contains("API token", await mesh.Lab.ShellAsync("laptop-gw1", $"curl -kfsS {url}sign-in", Cancellation), StringComparison.Ordinal);
        foreach (var file in new[] { "_framework/blazor.web.js", "_content/MudBlazor/MudBlazor.min.css", "_content/MudBlazor/MudBlazor.min.js", "_content/MeshFabric.Dashboard/dashboard.css", "_content/MeshFabric.Dashboard/dashboard.js" })
        {
            Assert.Equal("200", await mesh.Lab.ShellAsync("laptop-gw1", $"curl -ks -o /dev/null -w '%{{http_code}}' {url}{file}", Cancellation));
        }

        Assert.Equal($"302 {url}sign-in?return=%2F", await mesh.Lab.ShellAsync("laptop-gw1", $"curl -ks -o /dev/null -w '%{{http_code}} %{{redirect_url}}' {url}", Cancellation));
        var page = await mesh.Lab.ShellAsync("control", $$"""
            cookie=$(curl -ks -D - -o /dev/null -H 'Sec-Fetch-Site: same-origin' --data-urlencode token@{{token}} {{url}}session | sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\).*/\1/p')
            curl -kfsS -b "$cookie" {{url}}
            """, Cancellation);
        Assert.Contains("blazor.web.js", page, StringComparison.Ordinal);
    }

    Task<string> ConvergesAsync() => mesh.MfctlAsync("status", "--wait", "--timeout", "100");
}
