using MeshFabric.Contracts.Http;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Cli;

/// <summary>What commands print, in each format, into a pipe.</summary>
public sealed class OutputTests
{
    [Theory]
    [InlineData("cluster list")]
    [InlineData("cluster get aurora")]
    [InlineData("gateway list")]
    [InlineData("gateway get aurora/gw1")]
    [InlineData("tunnel list")]
    [InlineData("tunnel get aurora/gw1 borealis/gw1")]
    [InlineData("topology get")]
    [InlineData("cluster label aurora role=hub old-")]
    [InlineData("ipam pools")]
    [InlineData("ipam allocations")]
    [InlineData("ipam conflicts")]
    [InlineData("ipam plan --pod-cidr 10.20.0.0/16")]
    [InlineData("token list")]
    [InlineData("api-token list")]
    [InlineData("context list")]
    [InlineData("whoami")]
    [InlineData("status")]
    [InlineData("explain aurora/gw1")]
    [InlineData("ping aurora borealis")]
    [InlineData("verify aurora borealis")]
    [InlineData("events")]
    [InlineData("version")]
    public async Task Each_format_is_as_it_was(string line)
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var text = "";

        foreach (var format in new[] { "table", "wide", "json", "yaml", "name" })
        {
            var ran = await mfctl.LineAsync($"{line} -o {format}");
            Assert.True(ran.Code == 0, $"{ran}");
            text += $"$ mfctl {line} -o {format}\n{ran.Out}\n";
        }

        Golden.Check(text, $"golden/output/{line.Replace(' ', '-').Replace('/', '.')}.txt");
    }

    [Theory]
    [InlineData("cluster list")]
    [InlineData("tunnel list -o wide")]
    [InlineData("ipam conflicts")]
    public async Task A_pipe_gets_one_row_a_line_however_long_and_no_escape_sequence(string line)
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.OnList("GET clusters", Enumerable.Range(0, 3).Select(i => Canned.Aurora with { Metadata = Canned.Aurora.Metadata with { Name = new string('a', 200) + i } }).ToArray());
        using var mfctl = new Mfctl(mesh) { Width = 40 };

        var ran = await mfctl.LineAsync(line);

        var lines = ran.Out.TrimEnd('\n').Split('\n');
        Assert.Equal(line == "cluster list" ? 4 : 2, lines.Length);
        Assert.DoesNotContain('\u001b', ran.Out);
    }

    [Fact]
    public async Task A_narrow_terminal_cuts_nothing_off()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh) { OutputIsTerminal = true, Width = 40 };

        var ran = await mfctl.LineAsync("tunnel list --no-color");

        Assert.Contains("198.51.100.1:51820", ran.Out, StringComparison.Ordinal);
        Assert.Contains("203.0.113.9:40001", ran.Out, StringComparison.Ordinal);
        Assert.Equal(2, ran.Out.TrimEnd('\n').Split('\n').Length);
    }

    [Fact]
    public async Task Colour_is_for_terminals_only_and_can_be_turned_off_in_each_way()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh) { OutputIsTerminal = true };

        Assert.Contains("\u001b[", (await mfctl.LineAsync("cluster list")).Out, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", (await mfctl.LineAsync("cluster list --no-color")).Out, StringComparison.Ordinal);
        mfctl.Variables["NO_COLOR"] = "1";
        Assert.DoesNotContain("\u001b", (await mfctl.LineAsync("cluster list")).Out, StringComparison.Ordinal);
        mfctl.Variables.Remove("NO_COLOR");
        mfctl.Variables["MESHFABRIC_NO_COLOR"] = "1";
        Assert.DoesNotContain("\u001b", (await mfctl.LineAsync("cluster list")).Out, StringComparison.Ordinal);
        mfctl.Variables.Clear();
        mfctl.Variables["TERM"] = "dumb";
        Assert.DoesNotContain("\u001b", (await mfctl.LineAsync("cluster list")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_of_others_cannot_move_the_cursor_or_begin_a_line()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.OnList("GET events", Canned.Events[1] with { Message = "a\nb\u001b[2J\rc" });
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("events --no-headers");

        Assert.EndsWith("  a b?[2J?c\n", ran.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_and_notes_can_be_left_out_and_the_environment_says_so_too()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        Assert.DoesNotContain("NAME", (await mfctl.LineAsync("whoami --no-headers")).Out, StringComparison.Ordinal);
        Assert.NotEmpty((await mfctl.LineAsync("whoami")).Error);
        Assert.Empty((await mfctl.LineAsync("whoami -q")).Error);
        mfctl.Variables["MESHFABRIC_NO_HEADERS"] = "true";
        mfctl.Variables["MESHFABRIC_QUIET"] = "1";
        mfctl.Variables["MESHFABRIC_OUTPUT"] = "name";
        Assert.Equal(new Ran(0, "api-token/admin\n", ""), await mfctl.LineAsync("whoami"));
        Assert.StartsWith("admin", (await mfctl.LineAsync("whoami -o table")).Out, StringComparison.Ordinal);
        mfctl.Variables["MESHFABRIC_OUTPUT"] = "colourful";
        var refused = await mfctl.LineAsync("whoami");
        Assert.Equal(2, refused.Code);
        Assert.Contains("one of table, wide, json, yaml, name is needed", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_in_json_has_every_page_and_reads_back_as_what_the_server_sent()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("GET clusters", context => new FakeMesh.Answer(200, context.Request.Query["cursor"] == "two"
            ? new Page<ClusterResource>([Canned.Borealis], null, 2)
            : new Page<ClusterResource>([Canned.Aurora], "two", 2)));
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("cluster list -o json");

        var read = System.Text.Json.JsonSerializer.Deserialize<ClusterResource[]>(ran.Out, MeshJson.Options)!;
        Assert.Equal(["aurora", "borealis"], read.Select(c => c.Metadata.Name));
        Assert.Equal(Canned.Borealis.Status.Prefixes, read[1].Status.Prefixes);
    }

    [Fact]
    public async Task Filters_are_the_servers()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        await mfctl.LineAsync("tunnel list --cluster aurora --state down");
        await mfctl.LineAsync("gateway list --cluster aurora");
        await mfctl.LineAsync("cluster list --label env=production --label tier=1");
        await mfctl.LineAsync("events --since 90m --subject cluster/");

        Assert.Equal(
            [
                "GET tunnels?cluster=aurora&state=down&limit=500", "GET gateways?cluster=aurora&limit=500", "GET clusters?label=env%3Dproduction&label=tier%3D1&limit=500",
                "GET events?subject=cluster%2F&since=2027-01-31T10%3A30%3A00.000Z&limit=500",
            ], mesh.Requests);
    }
}
