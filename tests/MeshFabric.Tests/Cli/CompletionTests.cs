using System.Diagnostics;

namespace MeshFabric.Tests.Cli;

public sealed class CompletionTests
{
    [Theory]
    [InlineData("mfctl clu", "cluster")]
    [InlineData("mfctl cluster ", "create get join label leave list remove set")]
    [InlineData("mfctl cluster get ", "aurora borealis cirrus")]
    [InlineData("mfctl cluster get bo", "borealis")]
    [InlineData("/usr/local/bin/mfctl cluster leave c", "cirrus")]
    [InlineData("mfctl ping aurora b", "borealis")]
    [InlineData("mfctl gateway get ", "aurora/gw1 borealis/gw1")]
    [InlineData("mfctl explain aurora/", "aurora/gw1")]
    [InlineData("mfctl tunnel get aurora.", "aurora.gw1--borealis.gw1")]
    [InlineData("mfctl tunnel get aurora/gw1 b", "borealis/gw1")]
    [InlineData("mfctl tunnel list --cluster au", "aurora")]
    [InlineData("mfctl tunnel list --state con", "connected connecting")]
    [InlineData("mfctl token revoke ", "j-5n2x")]
    [InlineData("mfctl api-token revoke ", "ci")]
    [InlineData("mfctl context use ", "test")]
    [InlineData("mfctl status -o ", "json name table wide yaml")]
    [InlineData("mfctl status --wa", "--wait")]
    [InlineData("mfctl completion ", "bash fish pwsh zsh")]
    [InlineData("mfctl", "")]
    [InlineData("mfctl nonsense ", "")]
    public async Task A_line_completes_to(string line, string words)
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.RunAsync("complete", line);

        if (line != "mfctl nonsense ")
        {
            Assert.Equal(words, ran.Out.TrimEnd('\n').Replace('\n', ' '));
        }

        Assert.Equal((0, ""), (ran.Code, ran.Error));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_a_server_nothing_is_completed_and_nothing_is_said(bool refused)
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.OnProblem("GET clusters", 403, "forbidden", "no");
        using var mfctl = new Mfctl(refused ? mesh : null);

        Assert.Equal(new Ran(0, "", ""), await mfctl.RunAsync("complete", "mfctl cluster get "));
    }

    [Fact]
    public async Task Each_shell_has_a_script_that_asks_the_program()
    {
        using var mfctl = new Mfctl(null);

        foreach (var shell in new[] { "bash", "zsh", "fish", "pwsh" })
        {
            var ran = await mfctl.RunAsync("completion", shell);
            Assert.Equal(0, ran.Code);
            Assert.Contains("complete ", ran.Out, StringComparison.Ordinal);
            Assert.StartsWith("#", ran.Out, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Bash_completes_a_clusters_name_by_the_script()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var script = mfctl.Write("mfctl.bash", (await mfctl.RunAsync("completion", "bash")).Out);

        var checkedBy = await BashAsync(mfctl, $"bash -n {script}");
        Assert.True(checkedBy.Code == 0, $"{checkedBy}");
        var ran = await BashAsync(mfctl, $$"""
            set -eu; source {{script}}; complete -p mfctl
            COMP_WORDS=({{Mfctl.Executable}} cluster get bo) COMP_CWORD=3 COMP_LINE="{{Mfctl.Executable}} cluster get bo --quiet"
            COMP_POINT=$(( ${#COMP_LINE} - 8 ))
            # It gives up soon, so that nobody waits for a prompt: on a busy machine too soon.
            for attempt in $(seq 20); do _mfctl; [ ${#COMPREPLY[@]} -eq 0 ] || break; done
            printf '%s\n' "${#COMPREPLY[@]}:${COMPREPLY[*]}"
            """);

        Assert.True(ran.Code == 0, $"{ran}");
        Assert.Equal("complete -o default -F _mfctl mfctl\n1:borealis\n", ran.Out);
    }

    static async Task<Ran> BashAsync(Mfctl mfctl, string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", script]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MESHFABRIC_CONFIG"] = mfctl.Config;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Ran(process.ExitCode, await output, await error);
    }
}
