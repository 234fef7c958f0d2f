using System.Diagnostics;

namespace MeshFabric.Lab.Processes;

/// <summary>What a program printed and how it ended.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <exception cref="LabException">It failed; the message has the end of what it printed.</exception>
    public CommandResult Checked(string what) => ExitCode == 0
        ? this
        : throw new LabException($"{what} failed with exit code {ExitCode}: {string.Join('\n', (Error + Output).Trim().Split('\n').TakeLast(15))}");
}

public sealed class LabException(string message) : Exception(message);

/// <summary>Runs a program to its end.</summary>
public static class Command
{
    /// <summary>A token that is cancelled kills the program and its children.</summary>
    public static async Task<CommandResult> RunAsync(IReadOnlyList<string> words, string? input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(words[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var word in words.Skip(1))
        {
            start.ArgumentList.Add(word);
        }

        using var process = Process.Start(start) ?? throw new LabException($"{words[0]} could not be started");
        await using var kill = cancellationToken.Register(() => process.Kill(entireProcessTree: true));
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading its input; its exit code tells why.
        }

        await process.WaitForExitAsync(CancellationToken.None);
        var result = new CommandResult(process.ExitCode, await output, await error);
        cancellationToken.ThrowIfCancellationRequested();
        return result;
    }
}
