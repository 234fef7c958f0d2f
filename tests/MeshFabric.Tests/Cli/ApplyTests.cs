using System.Text.Json;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Tests.Cli;

/// <summary>Files of manifests, and what applying them says.</summary>
public sealed class ApplyTests : IAsyncLifetime
{
    const string Topology = "apiVersion: meshfabric.io/v1\nkind: Topology\nmetadata: { name: mesh }\nspec:\n  type: hub-and-spoke\n  hubs: role=hub\n  transit: false\n";

    readonly string _directory = Directory.CreateTempSubdirectory("mf-apply-").FullName;
    FakeMesh _mesh = null!;
    Mfctl _mfctl = null!;

    public async ValueTask InitializeAsync()
    {
        _mesh = await FakeMesh.StartAsync();
        _mfctl = new Mfctl(_mesh);
    }

    public async ValueTask DisposeAsync()
    {
        _mfctl.Dispose();
        await _mesh.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task What_changes_is_shown_row_by_row_and_summed_up()
    {
        var ran = await _mfctl.RunAsync("apply", "-f", Write(Topology), "--dry-run");
        Assert.Equal(0, ran.Code);
        Assert.Equal(
            ["CHANGE  OBJECT    NAME                      DETAIL", "~       topology  mesh                      configured", "=       cluster   aurora                    unchanged",
                "~       path      borealis - cirrus         direct -> by aurora", "-       tunnel    borealis.gw1--cirrus.gw1  goes", "~       tunnel    aurora.gw1--borealis.gw1  connects anew"],
            ran.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("0 tunnel(s) appear, 1 go, 1 connect anew: 3 before, 2 afterwards (dry run: nothing was changed)", ran.Error, StringComparison.Ordinal);
        Assert.Contains("POST manifests/apply?dryRun=true", _mesh.Requests);
    }

    [Fact]
    public async Task Diff_ends_with_1_when_something_would_change_and_with_0_when_nothing_would()
    {
        var differs = await _mfctl.RunAsync("diff", "-f", Write(Topology));
        Assert.Equal(1, differs.Code);
        Assert.DoesNotContain("unchanged", differs.Out, StringComparison.Ordinal);
        _mesh.On("POST manifests/apply", Canned.Applied with { Manifests = [new AppliedManifest("Topology", "mesh", "unchanged")], Difference = new TopologyDifference(2, 2, 0, 0, 0, [], [], [], []) });
        Assert.Equal(0, (await _mfctl.RunAsync("diff", "-f", Write(Topology))).Code);
    }

    [Fact]
    public async Task Several_files_of_several_documents_are_sent_together_with_their_types()
    {
        var other = Write("# labels\n---\napiVersion: meshfabric.io/v1\nkind: Cluster\nmetadata: { name: aurora, labels: { tier: \"1\", role: hub } }\n---\n---\n{\"apiVersion\":\"meshfabric.io/v1\",\"kind\":\"Cluster\",\"metadata\":{\"name\":\"borealis\"},\"spec\":{\"advertiseServices\":true}}\n");
        var ran = await _mfctl.RunAsync("apply", "--no-wait", "-f", Write(Topology), "-f", other);
        Assert.True(ran.Code == 0, $"{ran}");
        var sent = JsonSerializer.Deserialize<ApplyManifests>(Assert.Single(_mesh.Bodies), MeshJson.Options)!.Manifests!;
        Assert.Equal([("Topology", "mesh"), ("Cluster", "aurora"), ("Cluster", "borealis")], sent.Select(m => (m.Kind, m.Metadata!.Name)));
        Assert.Equal(("hub-and-spoke", false), (sent[0].Spec!.Value.GetProperty("type").GetString(), sent[0].Spec!.Value.GetProperty("transit").GetBoolean()));
        Assert.Equal("1", sent[1].Metadata!.Labels!["tier"]);
        Assert.True(sent[2].Spec!.Value.GetProperty("advertiseServices").GetBoolean());
    }

    [Fact]
    public async Task What_get_prints_can_be_applied()
    {
        var got = await _mfctl.LineAsync("topology get -o yaml");
        Assert.Equal(0, got.Code);
        var ran = await _mfctl.RunAsync("apply", "--no-wait", "-f", Write(got.Out));
        Assert.True(ran.Code == 0, $"{ran}");
        Assert.Contains("\"regions\"", Assert.Single(_mesh.Bodies), StringComparison.Ordinal);
        Assert.DoesNotContain("status", Assert.Single(_mesh.Bodies), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "has no manifest in it")]
    [InlineData("# nothing\n", "has no manifest in it")]
    [InlineData("- a\n- b\n", "line 1: a manifest is needed")]
    [InlineData("kind: Topology\nkind: Topology\n", "duplicate key kind")]
    [InlineData("kind: [Topology\n", "line")]
    [InlineData("kind: Topology\ncolour: red\n", "there is no such field")]
    [InlineData("a: &a [*a]\n", "*a cannot be used here")]
    [InlineData("? {a: b}\n: c\n", "")]
    [InlineData("a: .nan\n", "")]
    [InlineData("kind: Cluster\nmetadata: { name: aurora, labels: { tier: 1 } }\n", "metadata.labels.tier: the value is of the wrong type (quote what is meant as text)")]
    public async Task A_file_that_is_none_is_refused_with_where_it_is_wrong(string text, string said)
    {
        var ran = await _mfctl.RunAsync("apply", "-f", Write(text));
        Assert.Equal(2, ran.Code);
        Assert.True(ran.Error.Contains(said, StringComparison.Ordinal), ran.Error);
        Assert.DoesNotContain(_mesh.Requests, r => r.StartsWith("POST", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_named()
    {
        var ran = await _mfctl.RunAsync("apply", "-f", Path.Combine(_directory, "none.yaml"));
        Assert.Equal(2, ran.Code);
        Assert.Contains("none.yaml cannot be read", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_mesh_is_drawn_for_other_programs()
    {
        var mermaid = await _mfctl.LineAsync("topology graph");
        Assert.Equal("graph LR\n  cirrus[\"cirrus\"]\n  subgraph region_eu_1 [\"eu-1\"]\n    aurora{{\"aurora\"}}\n    borealis[\"borealis\"]\n  end\n  aurora ---|1/1| borealis\n", mermaid.Out);
        var dot = await _mfctl.LineAsync("topology graph --as dot");
        Assert.Equal("graph mesh {\n  node [shape=box];\n  \"cirrus\";\n  subgraph \"cluster_eu-1\" {\n    label=\"eu-1\";\n    \"aurora\" [shape=hexagon];\n    \"borealis\";\n  }\n  \"aurora\" -- \"borealis\" [label=\"1/1\"];\n}\n", dot.Out);
        Assert.Equal(2, (await _mfctl.LineAsync("topology graph --as svg")).Code);
    }

    [Theory]
    [InlineData("cluster label aurora role")]
    [InlineData("cluster label aurora role=a role=b")]
    [InlineData("cluster label aurora =a")]
    public async Task A_label_is_KEY_VALUE_or_KEY_(string line) => Assert.Equal(2, (await _mfctl.LineAsync(line)).Code);

    string Write(string text)
    {
        var file = Path.Combine(_directory, $"{Guid.NewGuid():n}.yaml");
        File.WriteAllText(file, text);
        return file;
    }
}
