using System.CommandLine;
using MeshFabric.Cli;
using MeshFabric.TestKit;
using CommandLine = MeshFabric.Cli.Cli;

namespace MeshFabric.Tests.Cli;

public sealed class HelpTests
{
    public static TheoryData<string> Commands() => new(All(new CommandLine(Shell.OfProcess()).Root).Where(c => !c.Hidden).Select(c => CommandLine.PathOf(c)));

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Every_command_explains_itself_with_examples(string path)
    {
        using var mfctl = new Mfctl(null);

        var ran = await mfctl.LineAsync($"{path["mfctl".Length..]} --help");

        Assert.Equal(0, ran.Code);
        Assert.Empty(ran.Error);
        Assert.Contains("\nExamples:\n  ", ran.Out, StringComparison.Ordinal);
        Golden.Check(ran.Out, $"golden/help/{path.Replace(' ', '-')}.txt");
    }

    [Theory]
    [InlineData("--help", "mfctl.txt")]
    [InlineData("explain --help", "mfctl-explain.txt")]
    public async Task Help_asks_no_server_and_is_the_same_however_many_clusters_there_are(string line, string golden)
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync(line);

        Golden.Check(ran.Out, $"golden/help/{golden}");
        Assert.Empty(mesh.Requests);
    }

    [Fact]
    public async Task The_reference_is_what_the_commands_say()
    {
        using var mfctl = new Mfctl(null);

        var ran = await mfctl.RunAsync("docs");

        Golden.Check(ran.Out, "../../../docs/cli.md");
    }

    [Fact]
    public async Task Every_example_of_the_help_is_a_command_line_that_can_be_read()
    {
        var cli = new CommandLine(Shell.OfProcess());
        var examples = All(cli.Root).OfType<MeshCommand>().SelectMany(c => c.Examples).Concat(CommandLine.Examples).Where(e => e.StartsWith("mfctl ", StringComparison.Ordinal)).ToList();
        Assert.True(examples.Count > 40, $"{examples.Count} examples");

        Assert.All(examples, e =>
        {
            var own = System.Text.RegularExpressions.Regex.Split(e["mfctl ".Length..], " [|>] ")[0];
            Assert.Empty(cli.Root.Parse(own.Replace('\'', '"')).Errors.Select(x => $"{e}: {x.Message}"));
        });
        await Task.CompletedTask;
    }

    [Theory]
    [InlineData("clsuter list", "there is no command 'clsuter'. Did you mean 'cluster'?", "mfctl --help")]
    [InlineData("cluster gte aurora", "there is no command 'gte'. Did you mean 'get'?", "mfctl cluster --help")]
    [InlineData("cluster list --labl a=b", "there is no option '--labl'. Did you mean '--label'?", "mfctl cluster list --help")]
    [InlineData("cluster list --no-haeders", "there is no option '--no-haeders'. Did you mean '--no-headers'?", "mfctl cluster list --help")]
    [InlineData("frobnicate", "there is no command 'frobnicate'\n", "mfctl --help")]
    [InlineData("cluster", "a command is missing after 'mfctl cluster': one of create, join, leave, list, get, set, label, remove", "mfctl cluster --help")]
    [InlineData("cluster get", "NAME is missing: name of the cluster", "mfctl cluster get --help")]
    [InlineData("cluster get a b", "'b' is one argument too many", "mfctl cluster get --help")]
    [InlineData("tunnel list --state broken", "--state broken: one of connected, connecting, down, unknown is needed", "mfctl tunnel list --help")]
    [InlineData("events --since yesterday", "--since: 'yesterday' is not a duration", "mfctl events --help")]
    [InlineData("token create --max-uses many", "--max-uses: 'many' is no whole number", "mfctl token create --help")]
    public async Task A_command_line_that_cannot_be_read_is_told_what_was_meant(string line, string message, string next)
    {
        using var mfctl = new Mfctl(null);

        var ran = await mfctl.LineAsync(line);

        Assert.Equal((ExitCode.Usage, ""), (ran.Code, ran.Out));
        Assert.Contains(message, ran.Error, StringComparison.Ordinal);
        Assert.Contains($"  next: {next}", ran.Error, StringComparison.Ordinal);
    }

    static IEnumerable<Command> All(Command command) => new[] { command }.Concat(command.Subcommands.SelectMany(All));
}
