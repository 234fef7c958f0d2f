using System.Diagnostics;
using System.Globalization;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>A daemon in a session of its own, known by its pid file; it outlives the process that started it.</summary>
sealed class DetachedProcess(string name, string directory)
{
    string PidFile => Path.Combine(directory, name + ".pid");

    public string LogFile => Path.Combine(directory, name + ".log");

    /// <summary>Null when it does not run; a pid that was given to another program is not ours.</summary>
    public int? Pid
    {
        get
        {
            try
            {
                var pid = int.Parse(File.ReadAllText(PidFile).Trim(), CultureInfo.InvariantCulture);
                var stat = File.ReadAllText($"/proc/{pid}/stat");
                var command = File.ReadAllText($"/proc/{pid}/cmdline");
                return !stat.Contains(") Z ", StringComparison.Ordinal) && command.Contains(directory, StringComparison.Ordinal) ? pid : null;
            }
            catch (Exception e) when (e is IOException or FormatException)
            {
                // Never started, or gone.
                return null;
            }
        }
    }

    public async Task StartAsync(IReadOnlyList<string> prefix, IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        if (Pid is not null)
        {
            return;
        }

        // None of our streams may be kept, or whoever reads our output by a pipe waits for the daemon. The pid is the daemon's, for sh becomes it.
        const string Script = "echo $$ > \"$0\"; log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null";
        File.Delete(PidFile);
        string[] all = ["setsid", "--fork", .. prefix, "sh", "-c", Script, PidFile, LogFile, .. command];
        using var process = Process.Start(new ProcessStartInfo(all[0], all[1..]) { WorkingDirectory = directory })!;
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"could not start {name}: '{string.Join(' ', all.Take(4))} ...' ended with {process.ExitCode}");
        }
    }

    /// <summary>Sends the signal (KILL, TERM) and waits until the process is gone.</summary>
    public async Task StopAsync(string signal, CancellationToken cancellationToken)
    {
        if (Pid is not { } pid)
        {
            return;
        }

        using (var kill = Process.Start("kill", [$"-{signal}", pid.ToString(CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync(cancellationToken);
        }

        var clock = Stopwatch.StartNew();
        while (Pid == pid)
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(60))
            {
                throw new InvalidOperationException($"{name} (pid {pid}) did not end on SIG{signal}");
            }

            await Task.Delay(20, cancellationToken);
        }
    }

    public string LogTail() => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(15)) : "(no log)";
}
