using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MeshFabric.Tests.Cli;

/// <summary>mfctl as a program of its own: real streams, exit codes and signals.</summary>
public sealed class ProcessTests
{
    const int Interrupt = 2;

    [Fact]
    public async Task Its_output_in_a_pipe_is_what_it_is_in_process()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var process = await mfctl.RunProcessAsync("tunnel", "list", "-o", "wide");
        var within = await mfctl.LineAsync("tunnel list -o wide");

        Assert.Equal(within, process);
        Assert.DoesNotContain('\u001b', process.Out);
    }

    [Theory]
    [InlineData(0, "cluster list")]
    [InlineData(1, "explain aurora/gw1")]
    [InlineData(2, "clsuter list")]
    [InlineData(2, "cluster remove aurora")]
    [InlineData(3, "cluster get nobody")]
    public async Task Its_exit_code_reaches_the_shell(int code, string line)
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("GET gateways/aurora/gw1/explanation", Canned.Explanation("aurora", "borealis", Canned.BorealisPrefix.Mesh, "Device mf0 is missing."));
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.RunProcessAsync(line.Split(' '));

        Assert.True(ran.Code == code, $"{ran}");
    }

    [Fact]
    public async Task Following_events_prints_each_as_it_comes_and_ends_with_130_when_interrupted()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("GET events", context => new FakeMesh.Answer(200, new Contracts.Http.Page<Contracts.Http.EventResource>(
            Canned.Events.Where(e => e.Sequence > (long.TryParse(context.Request.Query["after"], out var after) ? after : 0)).Take(context.Request.Query.ContainsKey("tail") ? 1 : 9).ToList(), null, 2)));
        using var mfctl = new Mfctl(mesh);

        using var process = mfctl.Start("events", "--follow", "-o", "json");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        var first = await process.StandardOutput.ReadLineAsync(limit.Token);
        var second = await process.StandardOutput.ReadLineAsync(limit.Token);
        Assert.Equal(0, Kill(process.Id, Interrupt));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }

        Assert.StartsWith("""{"sequence":41,""", first, StringComparison.Ordinal);
        Assert.StartsWith("""{"sequence":42,""", second, StringComparison.Ordinal);
        Assert.Equal(130, process.ExitCode);
        Assert.Empty(await process.StandardError.ReadToEndAsync(limit.Token));
    }

    [Fact]
    public async Task A_reader_that_goes_away_ends_it_without_a_stack_trace()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.OnList("GET clusters", Enumerable.Repeat(Canned.Aurora, 20_000).ToArray());
        using var mfctl = new Mfctl(mesh);

        using var process = mfctl.Start("cluster", "list", "-o", "json");
        process.StandardOutput.Close();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.DoesNotContain("   at ", await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [DllImport("libc", EntryPoint = "kill")]
    static extern int Kill(int pid, int signal);
}
