using System.Runtime.Versioning;
using System.Text.Json;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Tests.Cli;

[SupportedOSPlatform("linux")]
public sealed class ClusterJoinTests
{
    [Fact]
    public async Task A_cluster_described_by_options_is_created_and_its_gateways_are_enrolled_by_the_users_command()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var via = Script(mfctl, """echo "$@ <$(cat)" >> "$0.log"; echo done""");

        var ran = await mfctl.RunAsync("cluster", "join", "plant", "--kind", "machine", "--provider", "on-premises", "--region", "north", "--zone", "n1", "--pod-cidr", "10.40.0.0/16", "--label", "env=test",
            "--gateway", "gw1=198.51.100.9:51820", "--gateway", "gw2", "--via", $"{via} {{gateway}}", "--agent", "/opt/agent", "--state", "/srv/{gateway}");

        Assert.True(ran.Code == 0, $"{ran}");
        var created = JsonSerializer.Deserialize<CreateCluster>(mesh.Bodies.ElementAt(1), MeshJson.Options)!;
        Assert.Equal(("plant", "machine", "on-premises", "north", "n1"), (created.Name, created.Spec!.Kind, created.Spec.Provider, created.Spec.Region, created.Spec.Zone));
        Assert.Equal(["10.40.0.0/16"], created.Spec.PodCidrs!);
        Assert.Equal("test", created.Labels!["env"]);
        Assert.Equal(
            [
                "gw1 /opt/agent join --token-file - --cluster plant --gateway gw1 --endpoint 198.51.100.9:51820 --state /srv/gw1 <mfj1_canned",
                "gw2 /opt/agent join --token-file - --cluster plant --gateway gw2 --state /srv/gw2 <mfj1_canned",
            ], await File.ReadAllLinesAsync(via + ".log"));
        Assert.Contains("[1/4] checking the addresses of plant", ran.Error, StringComparison.Ordinal);
        Assert.Contains("[4/4] enrolling gw2", ran.Error, StringComparison.Ordinal);
        Assert.Empty(ran.Out);
    }

    [Fact]
    public async Task An_inventory_file_is_read()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var file = mfctl.Write("plant.yaml", "apiVersion: meshfabric.io/v1\nkind: ClusterInventory\nmetadata: {name: plant, labels: {env: demo}}\nspec: {kind: site, provider: aws, podCidrs: [10.40.0.0/16]}\n");

        var ran = await mfctl.RunAsync("cluster", "join", "plant", "--inventory", file, "--gateway", "gw1=198.51.100.9:51820");

        Assert.True(ran.Code == 0, $"{ran}");
        Assert.Equal("aws", JsonSerializer.Deserialize<CreateCluster>(mesh.Bodies.ElementAt(1), MeshJson.Options)!.Spec!.Provider);
        Assert.Contains("echo mfj1_canned | meshfabric-agent join --token-file - --cluster plant --gateway gw1 --endpoint 198.51.100.9:51820\n", ran.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_shows_the_plan_and_changes_nothing()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("cluster join plant --pod-cidr 10.20.0.0/16 --dry-run");
        var taken = await mfctl.LineAsync("cluster join aurora --pod-cidr 10.20.0.0/16 --dry-run");

        Assert.Equal("LOCAL         MESH           REMAPPED\n10.20.0.0/16  100.64.0.0/16  yes\n", ran.Out);
        Assert.Contains("10.20.0.0/16 is used by another cluster: the mesh will reach it as 100.64.0.0/16", ran.Error, StringComparison.Ordinal);
        Assert.Equal(5, taken.Code);
        Assert.DoesNotContain(mesh.Requests, r => r is "POST clusters" or "POST join-tokens");
    }

    [Fact]
    public async Task A_gateway_that_cannot_be_enrolled_leaves_it_partly_done_and_the_others_enrolled()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var via = Script(mfctl, """[ "$1" = gw2 ] || { echo "no route to $1" >&2; exit 255; }; echo fine""");

        var ran = await mfctl.RunAsync("cluster", "join", "plant", "--gateway", "gw1", "--gateway", "gw2", "--via", $"{via} {{gateway}}", "--wait");

        Assert.Equal(8, ran.Code);
        Assert.Contains("enrolling gw1 failed: no route to gw1", ran.Error, StringComparison.Ordinal);
        Assert.Contains("gw2: fine", ran.Error, StringComparison.Ordinal);
        Assert.Contains("cluster plant exists, but gw1 of 2 gateway(s) could not be enrolled", ran.Error, StringComparison.Ordinal);
        Assert.Contains("next: mfctl token create --cluster plant --max-uses 1", ran.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("mfj1_canned", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waiting_in_vain_is_6_and_names_what_is_missing()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("GET clusters/plant", Canned.Cluster("plant", "pending", "", 0, Canned.CirrusPrefix) with
        {
            Status = Canned.Aurora.Status with { GatewaysConnected = 1, TunnelsConnected = 1, TunnelsWanted = 4 },
        });
        mesh.On("GET mesh", Canned.Mesh() with { UnmetConditions = ["Gateway plant/gw2 has not reported yet.", "Cluster cirrus has no gateway yet."] });
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("cluster join plant --gateway gw1 --gateway gw2 --wait --timeout 300ms");

        Assert.Equal(6, ran.Code);
        Assert.Contains("not connected after 0.3s: 1 of 2 gateways, 1 of 4 tunnels\n  Gateway plant/gw2 has not reported yet.\n", ran.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("cirrus", ran.Error, StringComparison.Ordinal);
        Assert.Contains("next: mfctl tunnel list --cluster plant", ran.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cluster join Plant --gateway gw1 --dry-run", "'Plant' cannot be a cluster's name: a name of 1 to 63 lower-case letters")]
    [InlineData("cluster join plant", "a cluster needs a gateway: add --gateway")]
    [InlineData("cluster join plant --gateway gw1=198.51.100.9", "--gateway gw1=198.51.100.9: write NAME=ADDRESS:PORT")]
    [InlineData("cluster join plant --gateway gw1 --gateway gw1=198.51.100.9:1", "--gateway gw1 is given twice")]
    [InlineData("cluster join plant --gateway gw1 --label env", "--label env: write KEY=VALUE")]
    [InlineData("cluster join plant --gateway gw1 --inventory x.yaml --provider aws", "--inventory and --provider say the same thing")]
    [InlineData("cluster join plant --gateway gw1 --inventory /nowhere.yaml", "/nowhere.yaml")]
    [InlineData("cluster join plant --gateway gw1 --gateway gw2 --via ssh", "write {gateway} where the gateway's name belongs")]
    public async Task What_cannot_be_joined_is_told_before_anything_is_asked(string line, string message)
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync(line);

        Assert.Equal(2, ran.Code);
        Assert.Contains(message, ran.Error, StringComparison.Ordinal);
        Assert.Empty(mesh.Requests);
    }

    [Fact]
    public async Task Leaving_cuts_off_first_and_then_cleans_each_gateway()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var via = Script(mfctl, """echo "$@" >> "$0.log"; echo removed""");

        var ran = await mfctl.RunAsync("cluster", "leave", "aurora", "--yes", "--via", $"{via} {{gateway}}", "--agent", "/opt/agent", "--state", "/srv/{gateway}");

        Assert.True(ran.Code == 0, $"{ran}");
        Assert.Equal("DELETE clusters/aurora", mesh.Requests.Last());
        Assert.Equal(["gw1 /opt/agent leave --state /srv/gw1", "gw2 /opt/agent leave --state /srv/gw2"], await File.ReadAllLinesAsync(via + ".log"));
        Assert.Contains("[1/3] cutting aurora off everywhere\n[2/3] cleaning gw1\n      gw1: removed\n[3/3] cleaning gw2", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gateway_that_cannot_be_cleaned_is_8_with_the_command_to_run_there()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var via = Script(mfctl, """[ "$1" = gw1 ] || { echo "host down" >&2; exit 1; }""");

        var ran = await mfctl.RunAsync("cluster", "leave", "aurora", "--yes", "--via", $"{via} {{gateway}}", "--state", "/srv/x");

        Assert.Equal(8, ran.Code);
        Assert.Contains("1 of 2 gateway(s) could not be cleaned", ran.Error, StringComparison.Ordinal);
        Assert.Contains("  on gw2: meshfabric-agent leave --state /srv/x", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_via_leaving_prints_what_to_run()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("cluster leave aurora --yes");

        Assert.Equal((0, "on gw1 stop the agent and run:\n  meshfabric-agent leave\non gw2 stop the agent and run:\n  meshfabric-agent leave\n"), (ran.Code, ran.Out));
        Assert.Equal(3, (await mfctl.LineAsync("cluster leave nobody --yes")).Code);
    }

    static string Script(Mfctl mfctl, string body)
    {
        var file = mfctl.Write("via.sh", $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return file;
    }
}
