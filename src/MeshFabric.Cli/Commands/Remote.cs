using System.ComponentModel;
using System.Diagnostics;

namespace MeshFabric.Cli.Commands;

/// <summary>Runs commands on gateways by a command of the user's, such as <c>ssh root@{gateway}</c>.</summary>
sealed class Remote
{
    const string Placeholder = "{gateway}";
    readonly string[] _words;

    Remote(string[] words) => _words = words;

    /// <summary>Null without a command.</summary>
    public static Remote? Of(string? via, IReadOnlyList<string> gateways)
    {
        if (via is null)
        {
            return null;
        }

        var words = via.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length == 0 ? throw CommandException.Usage("--via is empty: write a command such as 'ssh root@{gateway}'")
            : gateways.Count > 1 && !via.Contains(Placeholder, StringComparison.Ordinal) ? throw CommandException.Usage($"--via '{via}' runs everything on one host, but there are {gateways.Count} gateways: write {Placeholder} where the gateway's name belongs")
            : new Remote(words);
    }

    public static string[] StateOf(string? state, string gateway) => state is null ? [] : ["--state", state.Replace(Placeholder, gateway, StringComparison.Ordinal)];

    /// <summary>Exit code and what it said: the output when it worked, the error when not.</summary>
    public async Task<(int Code, string Said)> RunAsync(string gateway, IEnumerable<string> command, string input, CancellationToken cancellationToken)
    {
        var words = _words.Select(w => w.Replace(Placeholder, gateway, StringComparison.Ordinal)).ToList();
        var start = new ProcessStartInfo(words[0], [.. words[1..], .. command]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            try
            {
                await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading; its exit code tells why.
            }

            try
            {
                await process.WaitForExitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                throw;
            }

            var said = (process.ExitCode == 0 ? await output : await error).Trim();
            return (process.ExitCode, said.Length > 0 ? said : $"{words[0]} ended with exit code {process.ExitCode}");
        }
        catch (Win32Exception e)
        {
            return (-1, $"{words[0]} could not be started: {e.Message}");
        }
    }
}
