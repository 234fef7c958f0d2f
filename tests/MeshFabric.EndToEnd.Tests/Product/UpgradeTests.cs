using System.Text.Json;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>From the previous version to this one, and back with an agent.</summary>
[Collection(WholeMachine.Name)]
public sealed class UpgradeTests(UpgradedMesh mesh) : IClassFixture<UpgradedMesh>
{
    const int Conflict = 5;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Nothing_is_lost_while_schema_control_service_and_every_agent_are_upgraded()
    {
        TestContext.Current.SendDiagnosticMessage($"{mesh.Flows.Sum(f => f.Sent)} packets of {mesh.Flows.Count} flows; {mesh.Steps}");
        Assert.True(mesh.Flows.Sum(f => f.Lost) == 0, $"{Told(mesh.Flows)}\n{mesh.Steps}");
    }

    [Fact]
    public void Devices_are_the_same_before_between_and_after_and_nothing_of_routes_or_rules_went()
    {
        Assert.Equal(UpgradedMesh.Gateways, mesh.Upgraded.Select(g => g.Name));
        foreach (var gateway in mesh.Upgraded)
        {
            Assert.Equal(gateway.Devices, gateway.DevicesWithout);
            Assert.Equal(gateway.Devices, gateway.DevicesAfter);
            Assert.Empty(gateway.Without);
            Assert.True(gateway.Deleted.Count == 0, $"{gateway.Name}: {string.Join('\n', gateway.Deleted)}");
            Assert.True(gateway.After.All(l => l.StartsWith('+')), $"{gateway.Name}: {string.Join('\n', gateway.After)}");
            // Nor with what followed: the other agents' upgrades, and keys.
            Assert.Equal(gateway.Devices, mesh.DevicesAtTheEnd[gateway.Name]);
        }
    }

    [Fact]
    public async Task Every_agent_is_shown_with_its_version_and_every_tunnel_is_up()
    {
        Assert.NotEqual(mesh.Former, mesh.Today);
        Assert.Contains(PreviousVersion.Commit[..12], mesh.Former, StringComparison.Ordinal);
        Assert.All((await mesh.VersionsAsync()).Values, v => Assert.Equal(mesh.Today, v));
        using var status = JsonDocument.Parse(await mesh.MfctlAsync("status", "-o", "json"));
        Assert.Equal(("ready", 4, 4), (status.RootElement.GetProperty("state").GetString(), status.RootElement.GetProperty("tunnelsConnected").GetInt32(), status.RootElement.GetProperty("tunnelsWanted").GetInt32()));
    }

    [Fact]
    public async Task The_count_sees_what_is_lost_when_an_agents_devices_do_not_stay()
    {
        var before = await mesh.DevicesAsync("borealis-gw2");
        await using var flows = mesh.Start();
        await flows.GoOnAsync(JoinedMesh.Limit, "before", Cancellation);
        var deleted = await mesh.DeletedAsync("borealis-gw2", () => mesh.ChangeAgentAsync("borealis-gw2", JoinedMesh.Programs, () => mesh.Lab.ShellAsync("borealis-gw2", "ip link del mf0; ip link del mf1", Cancellation)));
        await flows.GoOnAsync(JoinedMesh.Limit, "after", Cancellation);
        Assert.True((await flows.StopAsync()).Sum(f => f.Lost) > 0, "nothing was lost");
        Assert.Contains(deleted, l => l.Contains("mf1", StringComparison.Ordinal));
        Assert.NotEqual(before, await mesh.DevicesAsync("borealis-gw2"));
    }

    [Fact]
    public async Task An_agent_that_starts_goes_on_without_a_gateway_that_the_one_before_it_had_left()
    {
        var (dead, left) = (mesh.Lab.Topology["borealis-gw2"].Address, "10.20.0.0/16 dev mf0 ");
        var far = string.Join(", ", UpgradedMesh.Gateways.Take(2).Select(g => mesh.Lab.Topology[g].Address));
        await mesh.Lab.ShellAsync("inet", $"nft 'table inet dead {{ chain cut {{ type filter hook forward priority -200; ip saddr {dead} ip daddr {{ {far} }} drop; ip daddr {dead} ip saddr {{ {far} }} drop; }}; }}'", Cancellation);
        try
        {
            await Until.TrueAsync(async () => (await mesh.Lab.ShellAsync("aurora-gw1", "ip route show table 7710 10.20.0.0/16", Cancellation)).StartsWith(left, StringComparison.Ordinal), JoinedMesh.Limit, "borealis-gw2 to be left", Cancellation);
            var told = await mesh.ToldAsync("aurora-gw1", async () =>
            {
                await mesh.Mesh.ChangeAgentAsync("aurora-gw1", JoinedMesh.Programs, null, Cancellation);
                // The new one cannot know that it was ever up.
                await Until.TrueAsync(async () => await mesh.TunnelStateAsync("aurora.gw1--borealis.gw2") == "connecting", JoinedMesh.Limit, "the report of the agent that started", Cancellation);
            });
            Assert.DoesNotContain(told, l => l.StartsWith("10.20.0.0/16", StringComparison.Ordinal) && l.Contains("mf1", StringComparison.Ordinal));
        }
        finally
        {
            await mesh.Lab.ShellAsync("inet", "nft delete table inet dead", Cancellation);
            await mesh.MfctlAsync("status", "--wait", "--timeout", "90");
        }
    }

    [Fact]
    public async Task An_agent_that_is_put_back_works_and_so_does_the_one_that_takes_its_place_again()
    {
        var before = await mesh.DevicesAsync("aurora-gw1");
        await using var flows = mesh.Start();
        await flows.GoOnAsync(JoinedMesh.Limit, "before", Cancellation);
        await mesh.ChangeAgentAsync("aurora-gw1", PreviousVersion.Programs);
        // It knows no pre-shared keys: the others use none with it, and go on with theirs among themselves.
        await Until.TrueAsync(async () => (await mesh.PresharedKeysAsync()) is var keys && keys.Where(k => IsOf(k.Key)).All(k => k.Value == "(none)") && keys.Count(k => k.Value == "(none)") == 4, JoinedMesh.Limit, "no pre-shared key with aurora-gw1", Cancellation);
        await mesh.ChangeAgentAsync("aurora-gw1", JoinedMesh.Programs);
        await flows.GoOnAsync(JoinedMesh.Limit, "after", Cancellation);
        var reports = await flows.StopAsync();
        Assert.Equal(before, await mesh.DevicesAsync("aurora-gw1"));
        Assert.True(reports.Sum(f => f.Lost) == 0, Told(reports));
        await Until.TrueAsync(async () => (await mesh.PresharedKeysAsync()).Values.All(k => k != "(none)"), JoinedMesh.Limit, "pre-shared keys of all tunnels again", Cancellation);

        bool IsOf(string key) => key.StartsWith("aurora-gw1 ", StringComparison.Ordinal) || before.Contains(key.Split(' ')[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_topology_is_declared_only_when_no_agent_is_too_old_for_it_and_one_that_comes_later_is_told()
    {
        await mesh.ChangeAgentAsync("aurora-gw2", PreviousVersion.Programs);
        var refused = await ApplyAsync("{ type: hub-and-spoke, hubs: role=hub }");
        Assert.Equal(Conflict, refused.ExitCode);
        Assert.Contains($"aurora/gw2 ({mesh.Former}).", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("aurora/gw1", refused.Error, StringComparison.Ordinal);

        await mesh.ChangeAgentAsync("aurora-gw2", JoinedMesh.Programs);
        Assert.Equal(0, (await ApplyAsync("{ type: hub-and-spoke, hubs: role=hub }")).ExitCode);
        try
        {
            await mesh.Mesh.ChangeAgentAsync("aurora-gw2", PreviousVersion.Programs, null, Cancellation);
            await Until.TrueAsync(async () => (await mesh.Mesh.TryMfctlAsync(Cancellation, "topology", "get")).Error.Contains($"aurora/gw2 ({mesh.Former})", StringComparison.Ordinal), JoinedMesh.Limit, "a warning of the agent that was put back", Cancellation);
        }
        finally
        {
            Assert.Equal(0, (await ApplyAsync("{ type: full-mesh }")).ExitCode);
            await mesh.ChangeAgentAsync("aurora-gw2", JoinedMesh.Programs);
        }
    }

    async Task<MeshFabric.Lab.Processes.CommandResult> ApplyAsync(string spec)
    {
        var file = Path.Combine(mesh.Lab.Directory, "topology.yaml");
        await File.WriteAllTextAsync(file, $"apiVersion: meshfabric.io/v1\nkind: Topology\nmetadata: {{ name: mesh }}\nspec: {spec}\n", Cancellation);
        return await mesh.Mesh.TryMfctlAsync(Cancellation, "apply", "-f", file);
    }

    static string Told(IEnumerable<PingReport> flows) => string.Join('\n', flows.Where(f => f.Lost > 0).Select(f => f.Told));
}
