using System.Diagnostics;

namespace MeshFabric.Agent.Linux;

/// <summary>One nft table of ours, made in one transaction. Whether it is still as it was is known by reading it back.</summary>
/// <param name="learns">The kernel itself adds to its sets: their elements are not compared.</param>
public sealed class NftTable(string name, bool learns = false)
{
    string? _appliedScript;
    string? _readBack;

    /// <exception cref="InvalidOperationException">nft refused the script or could not be started.</exception>
    public async Task ApplyAsync(string script, CancellationToken cancellationToken)
    {
        await RunAsync(script, cancellationToken);
        _appliedScript = script;
        _readBack = await ListAsync(cancellationToken);
    }

    /// <summary>True when the table is as this script made it, by this process.</summary>
    public async Task<bool> IsInPlaceAsync(string script, CancellationToken cancellationToken) =>
        _appliedScript == script && _readBack is not null && _readBack == await ListAsync(cancellationToken);

    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await RunAsync($"add table inet {name}\ndelete table inet {name}\n", cancellationToken);
        _appliedScript = _readBack = null;
    }

    // Without what is counted. Null when the table is gone.
    async Task<string?> ListAsync(CancellationToken cancellationToken)
    {
        var (code, output, _) = await Tool.RunAsync("nft", [learns ? "-st" : "-s", "list", "table", "inet", name], "", cancellationToken);
        return code == 0 ? output : null;
    }

    static async Task RunAsync(string script, CancellationToken cancellationToken)
    {
        var (code, _, error) = await Tool.RunAsync("nft", ["-f", "-"], script, cancellationToken);
        if (code != 0)
        {
            throw new InvalidOperationException($"nft refused our table: {error.Split('\n')[0]}");
        }
    }
}

/// <summary>A program of the distribution, run to its end.</summary>
static class Tool
{
    /// <exception cref="InvalidOperationException">It could not be started.</exception>
    public static async Task<(int Code, string Output, string Error)> RunAsync(string program, string[] arguments, string input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Start(start);
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancellationToken);
        return (process.ExitCode, await output, await error);
    }

    static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException($"{start.FileName} could not be started ({e.Message}): install the package that has it", e);
        }
    }
}
